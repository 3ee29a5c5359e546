package holder

import "github.com/liuma-pin/liuma"

// documentLabel is the label before a masked number: the kind of document.
func (t *wordings) documentLabel(d liuma.DocumentType) string {
	switch d {
	case liuma.DocumentPermanentResidence:
		return t.PermanentResidenceNo()
	case liuma.DocumentPassport:
		return t.PassportNo()
	case liuma.DocumentHKMacaoPermit, liuma.DocumentTaiwanPermit:
		return t.TravelPermitNo()
	case liuma.DocumentForeignerNumber:
		return t.SocialSecurityNo()
	}
	return t.IDNumber()
}
