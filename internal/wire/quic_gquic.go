package wire

const gquicSNI = 1

func gquicTag(chlo []byte, tag uint32) []byte { return nil }
