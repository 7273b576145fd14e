package classify

import (
	"testing"

	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

func TestSearchListBySuffix(t *testing.T) {
	weak := &feeds.Entry{Match: feeds.Suffix, Pattern: "kaspersky.com", Strength: feeds.Weak}
	for front, want := range map[string]appended{
		"www.lemonde.fr": surelyAppended, "www.google.com": surelyAppended, "google.com": surelyAppended, "wpad": surelyAppended,
		"bbc.co.uk": surelyAppended, "www.bbc.co.uk": surelyAppended, "example.com.au": surelyAppended, "x.y.example.co.jp": surelyAppended,
		"someone.github.io": surelyAppended, "github.io": surelyAppended, "app.azurewebsites.net": surelyAppended, "pc.corp.local": surelyAppended, "1.0.0.10.in-addr.arpa": surelyAppended,
		"x.edu": surelyAppended, "army.mil": surelyAppended, "a.gov": surelyAppended, "w3.org": surelyAppended, "slashdot.net": surelyAppended,
		"printer.lan": surelyAppended, "nas.localdomain": surelyAppended, "nas.home.arpa": surelyAppended, "someone.uk.com": surelyAppended,
		"www.xn--e1afmkfd.xn--p1ai": surelyAppended, "xn--fiq228c.xn--55qx5d.cn": surelyAppended, "a.xn--55qx5d.xn--j6w193g": surelyAppended,
		"xn--e1afmkfd.xn--p1ai": mayBeAppended, "a.ac": mayBeAppended, "x.sh": mayBeAppended, "x.biz": mayBeAppended, "x.xyz": mayBeAppended,
		"lemonde.fr": mayBeAppended, "s.info": mayBeAppended, "yandex.ru": mayBeAppended, "a.b.eu": mayBeAppended, "x.dev": mayBeAppended,
		"update.app": mayBeAppended, "x.zip": mayBeAppended, "www.eu": mayBeAppended, "www.fr": mayBeAppended, "a.md": mayBeAppended,
		"x.y.bd": mayBeAppended,
		"ru":     notAppended, "app": notAppended, "dev": notAppended, "dl": notAppended, "dnl-01.geo": notAppended, "s07.upd": notAppended,
		"co.uk": notAppended, "a.b.ksn": notAppended, "www": notAppended, "": notAppended,
	} {
		require.Equal(t, want, searchList(weak, front+".kaspersky.com"), front)
	}
	require.Equal(t, notAppended, searchList(weak, "kaspersky.com"))
	regional := &feeds.Entry{Match: feeds.Suffix, Pattern: "kaspersky.com.cn", Strength: feeds.Weak}
	require.Equal(t, notAppended, searchList(regional, "www.kaspersky.com.cn"))
	require.Equal(t, notAppended, searchList(regional, "update.geo.kaspersky.com.cn"))
	require.Equal(t, surelyAppended, searchList(regional, "www.sina.com.cn.kaspersky.com.cn"))
	medium := &feeds.Entry{Match: feeds.Suffix, Pattern: "kaspersky.com", Strength: feeds.Medium}
	require.Equal(t, surelyAppended, searchList(medium, "www.lemonde.fr.kaspersky.com"))
	require.Equal(t, notAppended, searchList(medium, "eu.ksn.app.kaspersky.com"), "a service's own labels")
	strong := &feeds.Entry{Match: feeds.Suffix, Pattern: "kaspersky.com", Strength: feeds.Strong}
	require.Equal(t, notAppended, searchList(strong, "www.lemonde.fr.kaspersky.com"))
	exact := &feeds.Entry{Match: feeds.Exact, Pattern: "update.eset.com", Strength: feeds.Medium}
	require.Equal(t, notAppended, searchList(exact, "update.eset.com"))
}
