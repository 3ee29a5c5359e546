package agency

// Reasons why a row is left out, beside those of package sheet. They are stable, and reveal
// no content; the catalogue has a sentence for each (locale.Words.ImportReason).
const (
	ReasonCode      = "agency_code"      // not 1 to 40 of a-z, 0-9 and inner hyphens
	ReasonKind      = "agency_kind"      // neither an office nor a hotline
	ReasonRegion    = "agency_region"    // no region that is listed
	ReasonName      = "agency_name"      // empty or longer than its column is, as below
	ReasonAddress   = "agency_address"   // none, of an office
	ReasonHours     = "agency_hours"     //
	ReasonTelephone = "agency_telephone" // no single number
	ReasonDocuments = "agency_documents"
	ReasonSaid      = "agency_said" // neither yes nor no nor empty
	ReasonLanguages = "agency_languages"
	ReasonServices  = "agency_services"
	ReasonStatus    = "agency_status"    // neither open nor closed
	ReasonHidden    = "agency_hidden"    // a link, or a telephone number outside of its column
	ReasonDuplicate = "agency_duplicate" // the code was in an earlier row
	ReasonBounds    = "agency_bounds"    // beyond the region or agency of who imports
)
