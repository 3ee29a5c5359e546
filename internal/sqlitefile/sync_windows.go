package sqlitefile

// SyncDir does nothing: Windows does not sync directories, and NTFS journals
// names.
func SyncDir(string) error { return nil }
