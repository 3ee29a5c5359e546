package console

// Routes are those behind the sign-in, for the walk of all of them.
func Routes() []Route { return (&console{}).routes() }

// Reasons are the names of the reasons that the console explains.
func Reasons() (out []string) {
	for _, r := range reasons() {
		out = append(out, r.name)
	}
	return out
}
