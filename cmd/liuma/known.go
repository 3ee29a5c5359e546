package main

import (
	"context"
	"io"
	"slices"
	"syscall"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/backup"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/diskfile"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// knownError is an error of another package that people see at a terminal. Its own
// text stays English, since it goes into logs and over the administration's socket.
type knownError struct {
	err error
	say func(locale.Refused) string
}

// known are the errors that have a sentence in the catalogue; in English it is their
// own text.
func known() []knownError {
	return slices.Concat(knownOfActs(), knownOfData(), knownOfServer(), knownOfStaff(), knownOfSystem(), knownOfJoining())
}

// knownOfActs are the errors of acts on clients, cards and people.
func knownOfActs() []knownError {
	return []knownError{
		{admin.ErrTaken, locale.Refused.KnownTaken},
		{admin.ErrReserved, locale.Refused.KnownReserved},
		{admin.ErrUnknown, locale.Refused.KnownParty},
		{admin.ErrKey, locale.Refused.KnownKey},
		{admin.ErrLastKey, locale.Refused.KnownLastKey},
		{admin.ErrClient, locale.Refused.KnownClient},
		{admin.ErrCorrection, locale.Refused.KnownCorrection},
		{admin.ErrFile, locale.Refused.KnownFile},
		{admin.ErrFileChanged, locale.Refused.KnownFileChanged},
		{admin.ErrImporting, locale.Refused.KnownImporting},
		{admin.ErrNoKeeper, locale.Refused.KnownKeeper},
		{admin.ErrRepairing, locale.Refused.KnownRepairing},
		{admin.ErrPeers, locale.Refused.KnownPeers},
		{admin.ErrElsewhere, locale.Refused.KnownElsewhere},
		{admin.ErrPrivateKey, locale.Refused.KnownPrivateKey},
		{admin.ErrRole, locale.Refused.KnownRole},
		{admin.ErrArchive, locale.Refused.KnownArchive},
		{admin.ErrNothingToArchive, locale.Refused.KnownNothingToArchive},
		{admin.ErrNotServing, locale.Refused.KnownNotServing},
		{admin.ErrNoCard, locale.Refused.KnownCard},
		{admin.ErrKeepers, locale.Refused.KnownKeepers},
		{admin.ErrNumber, locale.Refused.KnownNumber},
		{admin.ErrResealing, locale.Refused.KnownResealing},
		{keyring.ErrUnconfirmed, locale.Refused.KnownOthers},
		{keyring.ErrUnderWay, locale.Refused.KnownKeysUnderWay},
		{keyring.ErrMember, locale.Refused.KnownAuthority},
		{keyring.ErrGone, locale.Refused.KnownGone},
		{keyring.ErrNumber, locale.Refused.KnownKeysNumber},
		{keyring.ErrLately, locale.Refused.KnownLately},
		{keyring.ErrNotGiven, locale.Refused.KnownNotGiven},
		{keyring.ErrGiver, locale.Refused.KnownGiver},
		{vault.ErrNoIdentity, locale.Refused.KnownIdentity},
		{admin.ErrElsewhereConfirmed, locale.Refused.KnownConfirmElsewhere},
		{admin.ErrKeyInUse, locale.Refused.KnownKeyInUse},
		{admin.ErrLastDigestKey, locale.Refused.KnownLastDigestKey},
		{admin.ErrNoInbox, locale.Refused.KnownInbox},
		{admin.ErrSearch, locale.Refused.KnownSearch},
		{admin.ErrNoStream, locale.Refused.KnownStream},
		{admindoor.ErrServed, locale.Refused.KnownServed},
		{admindoor.ErrLost, locale.Refused.KnownLost},
		{admindoor.ErrOpenDir, locale.Refused.KnownOpenDir},
		{admindoor.ErrPath, locale.Refused.KnownPath},
		{admindoor.ErrPlatform, locale.Refused.KnownPlatform},
		{authority.ErrLive, locale.Refused.KnownLive},
		{authority.ErrFrozen, locale.Refused.KnownFrozen},
		{authority.ErrUnderway, locale.Refused.KnownUnderway},
		{authority.ErrKept, locale.Refused.KnownKept},
		{authority.ErrRetire, locale.Refused.KnownRetire},
		{notify.ErrNotRetriable, locale.Refused.KnownNotRetriable},
		{registry.ErrUnknownCorrection, locale.Refused.KnownUnknownCorrection},
		{registry.ErrCounts, locale.Refused.KnownCounts},
		{registry.ErrNotUntold, locale.Refused.KnownNotUntold},
		{sheet.ErrOtherEncoding, locale.Refused.KnownEncoding},
		{registry.ErrDigits, locale.Refused.KnownDigits},
		{registry.ErrNoConflict, locale.Refused.KnownConflict},
		{registry.ErrCardTaken, locale.Refused.KnownCardTaken},
		{registry.ErrAwaited, locale.Refused.KnownAwaited},
		{registry.ErrNoCorrection, locale.Refused.KnownNoCorrection},
		{registry.ErrAgrees, locale.Refused.KnownAgrees},
		{registry.ErrNobody, locale.Refused.KnownNobody},
		{agency.ErrUnknown, locale.Refused.KnownAgency},
	}
}

// knownOfData are the errors of stored data, and of the record.
func knownOfData() []knownError {
	return []knownError{
		{audit.ErrReason, locale.Refused.KnownReason},
		{audit.ErrLine, locale.Refused.KnownLine},
		{audit.ErrPart, locale.Refused.KnownPart},
		{audit.ErrCut, locale.Refused.KnownCut},
		{audit.ErrOrder, locale.Refused.KnownOrder},
		{audit.ErrOtherKey, locale.Refused.KnownOtherKey},
		{clock.ErrBehind, locale.Refused.KnownBehind},
		{clock.ErrNotAhead, locale.Refused.KnownNotAhead},
		{ledger.ErrLeased, locale.Refused.KnownLeased},
		{ledger.ErrFull, locale.Refused.KnownLedgerFull},
		{ledger.ErrMissing, locale.Refused.KnownLedgerMissing},
		{keeper.ErrTooFew, locale.Refused.KnownTooFew},
		{keeper.ErrStranger, locale.Refused.KnownStranger},
		{keeper.ErrCertificate, locale.Refused.KnownCertificate},
		{keeper.ErrMode, locale.Refused.KnownKeeperMode},
		{keeper.ErrOwner, locale.Refused.KnownKeeperOwner},
		{remote.ErrSettings, locale.Refused.KnownKeeperSettings},
		{admission.ErrFormat, locale.Refused.KnownAdmissionFormat},
		{admission.ErrName, locale.Refused.KnownAdmissionName},
		{admission.ErrOtherKey, locale.Refused.KnownAdmissionKey},
		{admission.ErrEnded, locale.Refused.KnownAdmissionEnded},
		{admission.ErrEarly, locale.Refused.KnownAdmissionEarly},
		{keeper.ErrNoQuorum, locale.Refused.KnownNoQuorum},
		{store.ErrNotFound, locale.Refused.KnownNotFound},
		{store.ErrSeal, locale.Refused.KnownSeal},
		{store.ErrOldDatabase, locale.Refused.KnownOldDatabase},
		{store.ErrFailed, locale.Refused.KnownFailed},
		{store.ErrFull, locale.Refused.KnownFull},
		{store.ErrUndecided, locale.Refused.KnownUndecided},
		{store.ErrUnreachable, locale.Refused.KnownUnreachable},
		{sqlite.ErrDamaged, locale.Refused.KnownDamaged},
		{sqlite.ErrInUse, locale.Refused.KnownInUse},
		{sqlite.ErrTooNew, locale.Refused.KnownTooNew},
		{vault.ErrRootSeals, locale.Refused.KnownRootSeals},
		{vault.ErrNoRootKey, locale.Refused.KnownNoRootKey},
		{vault.ErrOtherVault, locale.Refused.KnownOtherVault},
		{vault.ErrKeyFileLocked, locale.Refused.KnownKeyFileLocked},
		{vault.ErrKeySigns, locale.Refused.KnownKeySigns},
		{vault.ErrNoSuchKey, locale.Refused.KnownNoSuchKey},
		{vault.ErrKeyFileMode, locale.Refused.KnownKeyFileMode},
		{vault.ErrKeyFileFormat, locale.Refused.KnownKeyFileFormat},
		{vault.ErrNoHeads, locale.Refused.KnownNoHeads},
		{vault.ErrHeads, locale.Refused.KnownHeads},
		{vault.ErrHeadsMode, locale.Refused.KnownHeadsMode},
		{vault.ErrSealed, locale.Refused.KnownSealed},
		{vault.ErrOtherToken, locale.Refused.KnownOtherToken},
		{vault.ErrKeyPrepared, locale.Refused.KnownKeyPrepared},
		{token.ErrNotBuilt, locale.Refused.KnownTokenNotBuilt},
		{token.ErrModule, locale.Refused.KnownTokenModule},
		{token.ErrNoToken, locale.Refused.KnownTokenMissing},
		{token.ErrPIN, locale.Refused.KnownTokenPIN},
		{token.ErrBusy, locale.Refused.KnownTokenBusy},
		{token.ErrAway, locale.Refused.KnownTokenAway},
		{token.ErrNoKey, locale.Refused.KnownTokenNoKey},
		{token.ErrAmbiguous, locale.Refused.KnownTokenAmbiguous},
		{token.ErrWeakKey, locale.Refused.KnownTokenWeak},
		{token.ErrCannot, locale.Refused.KnownTokenCannot},
		{backup.ErrExists, locale.Refused.KnownBackupExists},
		{backup.ErrNotWhole, locale.Refused.KnownBackupNotWhole},
		{backup.ErrDamaged, locale.Refused.KnownBackupDamaged},
		{server.ErrNoTime, locale.Refused.KnownNoTime},
	}
}

// knownOfServer are the errors of a database on a PostgreSQL server.
func knownOfServer() []knownError {
	return []knownError{
		{server.ErrInside, locale.Refused.KnownServerInside},
		{server.ErrName, locale.Refused.KnownName},
		{server.ErrEnded, locale.Refused.KnownServerEnded},
		{postgres.ErrSameName, locale.Refused.KnownServerSameName},
		{postgres.ErrServed, locale.Refused.KnownServerServed},
		{postgres.ErrInUse, locale.Refused.KnownServerInUse},
		{postgres.ErrTooNew, locale.Refused.KnownServerTooNew},
		{postgres.ErrForeign, locale.Refused.KnownServerForeign},
		{postgres.ErrNotEmpty, locale.Refused.KnownNotEmpty},
		{postgres.ErrEncoding, locale.Refused.KnownEncodingServer},
		{postgres.ErrPooler, locale.Refused.KnownPooler},
		{postgres.ErrAltered, locale.Refused.KnownAltered},
		{postgres.ErrUnfinished, locale.Refused.KnownUnfinished},
		{postgres.ErrOtherSource, locale.Refused.KnownOtherSource},
		{postgres.ErrDiffers, locale.Refused.KnownDiffers},
		{server.ErrOnServer, locale.Refused.KnownOnServer},
		{server.ErrOlderFile, locale.Refused.KnownOlderFile},
		{server.ErrNoFile, locale.Refused.KnownNoFile},
		{diskfile.ErrNoFile, locale.Refused.KnownNotAFile},
	}
}

// knownOfStaff are the errors of the staff and its proposals.
func knownOfStaff() []knownError {
	return []knownError{
		{proposal.ErrAlone, locale.Refused.KnownAlone},
		{proposal.ErrRole, locale.Refused.KnownProposalRole},
		{proposal.ErrSame, locale.Refused.KnownSame},
		{proposal.ErrPair, locale.Refused.KnownPair},
		{proposal.ErrUnknown, locale.Refused.KnownProposal},
		{proposal.ErrEnded, locale.Refused.KnownEnded},
		{proposal.ErrLate, locale.Refused.KnownLate},
		{proposal.ErrKind, locale.Refused.KnownKind},
		{proposal.ErrBody, locale.Refused.KnownBody},
		{proposal.ErrTooMany, locale.Refused.KnownTooMany},
		{staff.ErrNobody, locale.Refused.KnownNoName},
		{staff.ErrBegun, locale.Refused.KnownBegun},
		{staff.ErrUnknown, locale.Refused.KnownMember},
		{staff.ErrTaken, locale.Refused.KnownMemberTaken},
		{staff.ErrFilledIn, locale.Refused.KnownMemberEmpty},
		{staff.ErrRoles, locale.Refused.KnownRoles},
		{staff.ErrState, locale.Refused.KnownState},
		{staff.ErrCode, locale.Refused.KnownCode},
		{staff.ErrEarly, locale.Refused.KnownEarly},
		{staff.ErrAccount, locale.Refused.KnownAccount},
		{staff.ErrSession, locale.Refused.KnownSession},
		{staff.ErrBounds, locale.Refused.KnownBounds},
		{staff.ErrLast, locale.Refused.KnownLast},
		{staff.ErrSuspended, locale.Refused.KnownSuspended},
		{staff.ErrNumber, locale.Refused.KnownStaffNumber},
	}
}

// knownOfSystem are the most common errors of the operating system.
func knownOfSystem() []knownError {
	return []knownError{
		{syscall.ENOENT, locale.Refused.KnownEnoent},
		{syscall.EACCES, locale.Refused.KnownEacces},
		{syscall.EPERM, locale.Refused.KnownEperm},
		{syscall.EEXIST, locale.Refused.KnownEexist},
		{syscall.ENOTDIR, locale.Refused.KnownEnotdir},
		{syscall.EISDIR, locale.Refused.KnownEisdir},
		{syscall.ENOSPC, locale.Refused.KnownEnospc},
		{syscall.EROFS, locale.Refused.KnownErofs},
		{syscall.EADDRINUSE, locale.Refused.KnownEaddrinuse},
		{syscall.ECONNREFUSED, locale.Refused.KnownEconnrefused},
		{syscall.EADDRNOTAVAIL, locale.Refused.KnownEaddrnotavail},
		{io.EOF, locale.Refused.KnownEof},
		{context.Canceled, locale.Refused.KnownCanceled},
		{context.DeadlineExceeded, locale.Refused.KnownDeadline},
	}
}

// knownOfJoining are the errors of a directory that joins others on their database.
func knownOfJoining() []knownError {
	return []knownError{
		{vault.ErrHasKeys, locale.Refused.KnownHasKeys},
		{vault.ErrNotAsked, locale.Refused.KnownNotAsked},
		{vault.ErrJoinFile, locale.Refused.KnownJoinFile},
		{vault.ErrAsk, locale.Refused.KnownAsk},
		{vault.ErrInvitation, locale.Refused.KnownInvitation},
		{vault.ErrCarriedDigits, locale.Refused.KnownCarriedDigits},
	}
}
