package observe

// beatBlocks is after how many blocks Sink.Tick is called even if the packet clock does not move.
const beatBlocks = 64

// beat decides when Sink.Tick is called.
type beat struct {
	last   int64 // packet clock at the last call
	blocks int   // since then
}

// due is called at the end of each block.
func (b *beat) due(silent bool, now int64) bool {
	b.blocks++
	if !silent && now-b.last < int64(tickMin) && b.blocks < beatBlocks {
		return false
	}
	b.last, b.blocks = now, 0
	return true
}
