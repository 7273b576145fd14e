package alert

// Use makes the Book go on with another policy: its name, and which places are of concern. What was told stays told.
func (b *Book) Use(opt Options) {
	opt.complete()
	b.opt.Policy, b.opt.Concern, b.opt.Version, b.opt.Sensor = opt.Policy, opt.Concern, opt.Version, opt.Sensor
}
