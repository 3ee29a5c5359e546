package diskfile

// SyncDir does nothing: Windows cannot sync directories, and NTFS journals
// names.
func SyncDir(string) error { return nil }
