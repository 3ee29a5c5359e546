package sqlite

// syncDir does nothing: Windows does not sync directories, and NTFS journals
// names.
func syncDir(string) error { return nil }
