package liuma

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// DocumentType is a kind of document (证件) that a person is known by.
type DocumentType string

// The types of documents.
const (
	// DocumentIDNumber is the 18-character number of GB 11643: resident identity
	// cards, residence permits of residents of Hong Kong (81), Macao (82) and Taiwan
	// (83), and permanent residence cards as given out since 2023 (9).
	DocumentIDNumber DocumentType = "id_number"
	// DocumentPermanentResidence is the number of a foreigner's permanent residence
	// card: the old one of three letters and twelve digits, or the new one.
	DocumentPermanentResidence DocumentType = "permanent_residence"
	// DocumentPassport is a passport, as its issuing state and its number: DEU-C01X00T47.
	DocumentPassport DocumentType = "passport"
	// DocumentHKMacaoPermit is a mainland travel permit of a resident of Hong Kong or Macao.
	DocumentHKMacaoPermit DocumentType = "hk_macao_permit"
	// DocumentTaiwanPermit is a mainland travel permit of a resident of Taiwan.
	DocumentTaiwanPermit DocumentType = "taiwan_permit"
	// DocumentForeignerNumber is the social security number of a foreigner without
	// permanent residence: three letters of the state, a digit, and the passport's number.
	DocumentForeignerNumber DocumentType = "foreigner_number"
)

// DocumentTypes lists every type, in the order in which help texts show them.
func DocumentTypes() []DocumentType {
	return []DocumentType{DocumentIDNumber, DocumentPermanentResidence, DocumentPassport,
		DocumentHKMacaoPermit, DocumentTaiwanPermit, DocumentForeignerNumber}
}

// Document is a document as a request sent it; package registry reads its number. It prints
// redacted, but is written whole as JSON, because the doors send it.
type Document struct {
	Type   DocumentType `json:"type"`
	Number string       `json:"number"`
}

// Text is the document as one line, byte for byte as it was sent: its type, a
// colon and its number. An envelope is bound to it where there is no plain ID
// number. The zero document has none.
func (d Document) Text() string {
	if d == (Document{}) {
		return ""
	}
	return string(d.Type) + ":" + d.Number
}

// ParseDocumentText takes a Text apart again. ok is false for a plain ID number,
// which has no colon.
func ParseDocumentText(s string) (d Document, ok bool) {
	kind, number, ok := strings.Cut(s, ":")
	if !ok {
		return Document{}, false
	}
	return Document{Type: DocumentType(kind), Number: number}, true
}

// HolderText is the text of a holder's document in a request: the plain id_number, which is
// the 18-character number, or the text of a document. Both at once are refused, and so is a
// document's text in place of an ID number: there is one way to write each document.
func HolderText(idNumber string, d Document) (string, error) {
	switch {
	case d == (Document{}) && strings.Contains(idNumber, ":"):
		return "", FailField(CodeIDNumberInvalid, "id_number", nil)
	case d == (Document{}):
		return idNumber, nil
	case idNumber != "":
		return "", FailField(CodeBadRequest, "document", fmt.Errorf("id_number and document at once"))
	}
	return d.Text(), nil
}

// HolderField names the member of a request from which a holder's text came.
func HolderField(text string) string {
	if strings.Contains(text, ":") {
		return "document.number"
	}
	return "id_number"
}

// Format prints a placeholder under every verb.
func (Document) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[document]") }

// LogValue logs the placeholder.
func (Document) LogValue() slog.Value { return slog.StringValue("[document]") }
