package registry

// Reasons for which a row is left out. They are stable, and reveal no content.
const (
	ReasonEncoding      = "encoding"            // not text in the file's encoding
	ReasonGBK           = "encoding_gbk"        // GBK in a file of UTF-8
	ReasonTooLong       = "line_too_long"       // more than 2,048 bytes
	ReasonQuotes        = "quotes"              // a quoted field that does not end
	ReasonColumns       = "columns"             // not as many as the header has
	ReasonIDNumber      = "id_number"           // wrong shape, check character or birthday
	ReasonIDNumber15    = "id_number_15_digits" // the old form
	ReasonIDNumberExcel = "id_number_excel"     // a spreadsheet's 3.3E+17
	ReasonIDNumberRound = "id_number_rounded"   // a spreadsheet's zeros for the last digits
	ReasonDigits        = "id_number_digits"    // digits of another script
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
)

// Reasons for which one cell is left out and its person kept.
const (
	ReasonPhone      = "phone"
	ReasonPhoneExcel = "phone_excel" // a spreadsheet's 1.38E+10
	ReasonRegion     = "region"      // no code of GB/T 2260, or none that is listed
	ReasonStatus     = "status"      // a word that is not known
)

// Sentence says in one sentence what a reason means and what to do.
func Sentence(reason string) string {
	switch reason {
	case ReasonEncoding:
		return "The line is not text in the encoding of the file; save the file as UTF-8, or name its encoding with --encoding."
	case ReasonGBK:
		return "The line is GBK and the file is not; save it all as UTF-8, or read it all with --encoding gbk."
	case ReasonTooLong:
		return "The line has more than 2,048 bytes; no person's row does."
	case ReasonQuotes:
		return "A quoted cell does not end, or has something after its quote; cells may not hold line breaks."
	case ReasonColumns:
		return "The line has another number of cells than the header."
	case ReasonIDNumber:
		return "The ID number has not 17 digits and a check character, or the check character or the birthday is wrong; compare it with the identity card."
	case ReasonIDNumber15:
		return "The ID number has 15 digits, which ended in 2013; ask for the number of 18."
	case ReasonIDNumberExcel:
		return "A spreadsheet turned the ID number into something like 3.3E+17 and its digits are lost; set the column to text and export it again from the source."
	case ReasonIDNumberRound:
		return "A spreadsheet took the ID number for a quantity and its last digits became zeros; set the column to text and export it again from the source."
	case ReasonDigits:
		return "The ID number has digits of another script; write them as 0 to 9."
	case ReasonName:
		return "The name is empty, has one character, more than 80, or something that is no letter of a name."
	case ReasonNamePrivate:
		return "The name has a character that only the system it came from knows (private use, outside GB 18030); write it as Unicode does."
	case ReasonCardNo:
		return "The card number is not 8 to 20 letters and digits."
	case ReasonCardNoExcel:
		return "A spreadsheet turned the card number into something like 1.2E+08; set the column to text and export it again from the source."
	case ReasonReplacedBy:
		return "The status is replaced, and column replaced_by has no card number, or one that other people have."
	case ReasonDuplicate:
		return "The ID number was in an earlier row of the file; the first row counts."
	case ReasonCardTwice:
		return "The card number was in an earlier row of the file, of another person."
	case ReasonCardTaken:
		return "The card number is another person's in the registry."
	case ReasonConflict:
		return "The ID number is registered to a person with another name, phone and card number; nothing was changed, and 'liuma registry conflicts list' shows what is to be decided."
	case ReasonConflictKept:
		return "The ID number is registered to another person, and an operator decided that it stays so."
	case ReasonPhone:
		return "The phone is no mobile number of mainland China; the person is kept, with the phone that was known before or none."
	case ReasonPhoneExcel:
		return "A spreadsheet turned the phone into something like 1.38E+10; the person is kept, with the phone that was known before or none."
	case ReasonRegion:
		return "The region is not in the list of GB/T 2260; the person is kept under the nearest region above it, or that of the ID number. Newer codes come with 'liuma region import'."
	case ReasonStatus:
		return "The status is no word that is known; the person is kept, with the status that was known before, and a new person's card counts as lost."
	}
	return "The row was left out."
}
