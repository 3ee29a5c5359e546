package registry

import "github.com/liuma-pin/liuma/internal/sheet"

// Reasons why a row is left out. They are stable, and reveal no content; the
// catalogue has a sentence for each (locale.Words.ImportReason).
const (
	ReasonEncoding      = sheet.ReasonEncoding  // not text in the file's encoding
	ReasonGBK           = sheet.ReasonGBK       // GBK in a file of UTF-8
	ReasonTooLong       = sheet.ReasonTooLong   // more than 2,048 bytes
	ReasonQuotes        = sheet.ReasonQuotes    // a quoted field that does not end
	ReasonColumns       = sheet.ReasonColumns   // not as many as the header has
	ReasonIDNumber      = "id_number"           // wrong shape, check character or birthday
	ReasonIDNumber15    = "id_number_15_digits" // the old form
	ReasonIDNumberExcel = "id_number_excel"     // a spreadsheet's 3.3E+17
	ReasonIDNumberRound = "id_number_rounded"   // a spreadsheet's zeros for the last digits
	ReasonDigits        = "id_number_digits"    // digits of another script
	ReasonDocument      = "document"            // type or number
	ReasonDocumentState = "document_state"      // a passport without its issuing state
	ReasonDocumentTwice = "document_twice"      // an ID number and another document
	ReasonName          = "name"                // wrong shape
	ReasonNamePrivate   = "name_private_use"    // a character of somebody's own
	ReasonCardNo        = "card_no"             // wrong shape
	ReasonCardNoExcel   = "card_no_excel"       // a spreadsheet's 1.2E+08
	ReasonReplacedBy    = "replaced_by"         // status replaced, without the new number
	ReasonDuplicate     = "duplicate"           // the ID number was in an earlier row
	ReasonCardTwice     = "card_duplicate"      // the card number was in an earlier row
	ReasonCardTaken     = "card_taken"          // the card number is another person's in the registry
	ReasonConflict      = "conflict"            // the ID number is another person's in the registry
	ReasonConflictKept  = "conflict_kept"       // the same, and an operator decided for the registered one
	ReasonFormer        = "former_id_number"    // cannot be read
	ReasonFormerOther   = "former_other_person" // the former number is another person's in the registry
	ReasonCorrected     = "corrected"           // the ID number was corrected to another
	ReasonAwaited       = "correction_awaited"  // a correction to the ID number waits
	ReasonCorrection    = "correction_refused"  // of the former number
	ReasonStopped       = "correction_stopped"  // the same correction was stopped or cancelled before
)

// Reasons why one cell is left out and its person kept.
const (
	ReasonPhone      = "phone"
	ReasonPhoneExcel = "phone_excel" // a spreadsheet's 1.38E+10
	ReasonRegion     = "region"      // no code of GB/T 2260, or none that is listed
	ReasonStatus     = "status"      // a word that is not known
	ReasonBirthDate  = "birth_date"  // no date, or not that of the number
	// ReasonBirthDateMissing: there is no date, and the document does not tell it.
	ReasonBirthDateMissing = "birth_date_missing"

	ReasonHousehold = "household" // more than 64 characters, or one that nobody sees
	ReasonAddress   = "address"   // fewer than 5 characters, more than 60, or one that no address has
	ReasonPostcode  = "postcode"  // not six digits
)
