package execute

// Waiting says how many wait for a pull.
func (p *Pulls) Waiting(image string) int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if one := p.running[image]; one != nil {
		return one.waiting
	}
	return 0
}
