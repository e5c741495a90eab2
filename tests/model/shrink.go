package model

// Shrink returns the smallest program it finds that still fails in the same way
// by dropping steps, and its failure. fails runs a program and returns nil if it passes.
func Shrink(p Program, f *Failure, fails func(Program) *Failure) (Program, *Failure) {
	if !f.Final {
		for i, s := range p.Steps {
			if s.ID == f.Step.ID {
				p.Steps = p.Steps[:i+1]
				break
			}
		}
	}
	for size := max(1, len(p.Steps)/2); size >= 1; size /= 2 {
		for at := 0; at < len(p.Steps); {
			smaller := p
			smaller.Steps = append(append([]Step{}, p.Steps[:at]...), p.Steps[min(len(p.Steps), at+size):]...)
			if g := fails(smaller); g != nil && g.Kind() == f.Kind() {
				p, f = smaller, g
				continue
			}
			at += size
		}
	}
	return p, f
}
