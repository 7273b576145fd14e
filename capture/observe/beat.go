package observe

// beatBlocks is after how many blocks Sink.Tick is called although the packet clock stands still.
const beatBlocks = 64

// beat says when Sink.Tick is to be called.
type beat struct {
	told   int64 // clock of the last time
	blocks int   // since then
}

// due is asked at the end of each block.
func (b *beat) due(silent bool, now int64) bool {
	b.blocks++
	if !silent && now-b.told < int64(tellEvery) && b.blocks < beatBlocks {
		return false
	}
	b.told, b.blocks = now, 0
	return true
}
