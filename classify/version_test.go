package classify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAgentVersion(t *testing.T) {
	for ua, want := range map[string]string{
		"DrWebUpdate-12.0.56.02100 (windows: 6.1.7601)":                                     "12.0.56.02100",
		"DrWebUpdate-6.00.12.03291 (windows: 5.01.2600)":                                    "6.00.12.03291",
		"ESS Update (Windows; U; 32bit; VDB 15881; BPC 10.0.369.0; OS: 6.1.7601 SP 1.0 NT)": "10.0.369.0",
		"ESS Update (Windows; U; 32bit; VDB 15881; OS: 6.1.7601 SP 1.0 NT; APP eea)":        "",
		"Syncer/4.80 (av_pro-1169;f)":                                                       "4.80",
		"AntiVir-NGUpd/10.0.0.37 (PERS; WKS; EN)":                                           "10.0.0.37",
		"AVGINET9-WVSXX86 90 AVI=271 BUILD=707 LOC=1033":                                    "9 build 707",
		"clamav/0.92.1": "0.92.1",
		"ClamAV/0.103.2 (OS: linux-gnu, ARCH: x86_64, CPU: x86_64)": "0.103.2",
		"CrowdStrike Falcon Sensor/7.1.17605":                       "7.1.17605",
		"Mozilla/5.0 (Windows NT 6.1; WOW64)":                       "",
		"Mozilla/4.0 (compatible; AcmeAV 3.2.1; Windows NT 10.0)":   "3.2.1",
		"~fc88d8deecb2": "",
		"":              "",
	} {
		require.Equal(t, want, agentVersion(ua), ua)
	}
}

func TestAgentProduct(t *testing.T) {
	for ua, want := range map[string]string{
		"ESS Update (Windows; U; 32bit; VDB 15881; APP eea; HWF: 01-23)": "eea",
		"Syncer/4.80 (av_pro-1169;f)":                                    "av_pro",
		"Mozilla/5.0 (Windows; APP eea)":                                 "",
	} {
		require.Equal(t, want, agentProduct(ua), ua)
	}
}

func TestPathVersion(t *testing.T) {
	for path, want := range map[string]string{
		"/eset_upd/v10/update.ver": "10", "/eset_upd/ep9/dll/update.ver": "9", "/eset_upd/update.ver": "",
		"/xmlzone/release/1120/versions.xml": "11.2", "/unix/900/": "9.0", "/x64/600/": "6.0", "/android/12.6.8/version.lst": "12.6.8",
		"/softw/90/update/avg9infoavi.ctf": "9.0", "/index/u0607g.xml": "", "/": "", "": "",
	} {
		require.Equal(t, want, pathVersion(path), path)
	}
}
