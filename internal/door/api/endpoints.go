package api

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// The endpoints as the document describes them. Their bodies are in wire.go,
// their handlers in handlers.go.

// requestCodes are the error codes that any request with a sealed PIN can get.
func requestCodes(more ...liuma.Code) []liuma.Code {
	return append([]liuma.Code{
		liuma.CodeBusinessNoUsed, liuma.CodeBusy, liuma.CodeChallengeExpired, liuma.CodeEnvelopeInvalid, liuma.CodePINFormat, liuma.CodeRationSpent,
	}, more...)
}

func challengeEndpoint() endpoint {
	return endpoint{
		codes: []liuma.Code{liuma.CodeRationSpent},
		path:  "/v1/challenges", id: "challenge", kind: store.ClientChannel, answer: challengeView{},
		summary: "Get a challenge and the current seal key (获取挑战值和封装公钥)",
		detail:  "The device seals the PIN to the seal key, bound to the challenge; evidence is bound to it too. The body is an empty object.",
	}
}

func enrollEndpoint() endpoint {
	return endpoint{
		path: "/v1/cards", id: "enroll", kind: store.ClientChannel, recalls: true, answer: verificationView{},
		summary: "Apply for the card and set its first PIN (申领并设置密码)",
		detail:  "Needs evidence from a registered provider. The card is linked in this channel, and its handle is in the answer.",
		codes: requestCodes(liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed, liuma.CodeIDNumberInvalid,
			liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeNotInRegistry, liuma.CodeGuardian, liuma.CodeBirthdayUnknown, liuma.CodeConsentRequired, liuma.CodeAlreadyEnrolled, liuma.CodeCardRestored, liuma.CodeWeakPIN, liuma.CodeChangeUnderWay, liuma.CodeCancelled),
	}
}

func linkEndpoint() endpoint {
	return endpoint{
		path: "/v1/links", id: "link", kind: store.ClientChannel, recalls: true, answer: verificationView{},
		summary: "Link the holder's card in this channel by its PIN (关联)",
		detail:  "Every link has a handle of its own, also for the same card in the same channel. Whatever the cause (wrong, unknown, not set, locked), the refusal is the same problem with code refused, at one pace; the same request with evidence may succeed.",
		codes: requestCodes(liuma.CodeRefused, liuma.CodeSlowDown, liuma.CodeGuardian, liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeEvidenceInvalid,
			liuma.CodeEvidenceUsed, liuma.CodeNotFound, liuma.CodeLinkLimit, liuma.CodeLinksFull),
	}
}

func verifyEndpoint() endpoint {
	return endpoint{
		path: "/v1/verifications", id: "verify", kind: store.ClientChannel, recalls: true, answer: verificationView{},
		summary: "Verify a PIN (核验密码)",
		detail:  "Any verdict is an answer with status 200. A right one carries a receipt that lives 60 seconds.",
		codes:   requestCodes(liuma.CodeRefused, liuma.CodeSlowDown, liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed),
	}
}

func changeEndpoint() endpoint {
	return endpoint{
		path: "/v1/pin-changes", id: "change", kind: store.ClientChannel, recalls: true, answer: verificationView{},
		summary: "Change the PIN (修改密码)",
		detail:  "The verdict is about the old PIN; right means that the new one holds, in every channel at once.",
		codes: requestCodes(liuma.CodeRefused, liuma.CodeSlowDown, liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed,
			liuma.CodeWeakPIN, liuma.CodeChangeUnderWay),
	}
}

func freezeEndpoint() endpoint {
	return endpoint{
		path: "/v1/freezes", id: "freeze", kind: store.ClientChannel, recalls: true, answer: verificationView{},
		summary: "Freeze the card in every channel (冻结)",
		detail:  "At once; the bound phone is told. Freezing a frozen card is no error. No channel can undo it alone: unfreezing is a hosted ceremony of the holder.",
		codes:   []liuma.Code{liuma.CodeBusinessNoUsed, liuma.CodeBusy, liuma.CodeRefused, liuma.CodeNotFound, liuma.CodeCancelled, liuma.CodeRationSpent},
	}
}

func hotlineFreezeEndpoint() endpoint {
	return endpoint{
		path: "/v1/hotline-freezes", id: "hotline-freeze", kind: store.ClientHotline, answer: hotlineFreezeView{},
		summary: "Freeze the card of a holder who called (热线冻结)",
		detail: "In every channel at once; the bound phone is told. The answer is the same whatever state the card was in, and says nothing about it. " +
			"not_found: there is nothing to freeze under this ID number. When no answer came, send the very same request again. A hotline can do nothing else. " +
			"hotline_limit: it asked for as many freezes as one may; found and not found count alike.",
		codes: []liuma.Code{liuma.CodeBusinessNoUsed, liuma.CodeBusy, liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeNotFound, liuma.CodeHotlineLimit},
	}
}

func lossReportEndpoint() endpoint {
	return endpoint{
		path: "/v1/hotline-loss-reports", id: "hotline-loss-report", kind: store.ClientHotline, answer: lossReportView{},
		summary: "Take a holder's report of a loss by phone (电话口头挂失)",
		detail: "In every channel at once, until the answer's until, when it ends by itself; the bound phone is told until when. It is no freeze, lifts none and shortens none. " +
			"A card that is reported already keeps its end. loss_report_off: the region of the card takes no such reports; freeze the card instead. " +
			"Counts to the same ration as freezes by hotline. When no answer came, send the very same request again.",
		codes: []liuma.Code{liuma.CodeBusinessNoUsed, liuma.CodeBusy, liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeNotFound,
			liuma.CodeLossReportOff, liuma.CodeHotlineLimit},
	}
}

func redeemEndpoint() endpoint {
	return endpoint{
		path: "/v1/redemptions", id: "redeem", kind: store.ClientChannel, answer: verificationView{},
		summary: "Redeem a receipt, once (兑付回执)",
		detail:  "Checks again that standing and PIN are what they were at the verdict.",
		codes:   []liuma.Code{liuma.CodeReceiptInvalid, liuma.CodeReceiptSpent, liuma.CodeReceiptStale, liuma.CodeNotFound},
	}
}

func physicalEndpoint() endpoint {
	return endpoint{
		path: "/v1/physical-card-status", id: "physical-card-status", kind: store.ClientRegistry, answer: physicalView{},
		summary: "Report what happened to a physical card (实体卡状态)",
		detail:  "lost: the electronic card needs PIN and evidence together; found: undoes lost; cancelled: the electronic card stops; replaced: links and PIN survive. Cancelling has a small ration: many at once go through the operator's import.",
		codes: []liuma.Code{liuma.CodeBusinessNoUsed, liuma.CodeBusy, liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState,
			liuma.CodeNotInRegistry, liuma.CodeCancelled, liuma.CodeRationSpent},
	}
}

func correctionEndpoint() endpoint {
	return endpoint{
		path: "/v1/registry/corrections", id: "correct-id-number", kind: store.ClientRegistry, answer: correctionView{},
		summary: "Report that a person's ID number was corrected (更正身份证号)",
		detail: "A person without an electronic card has the new number within seconds. With one, the bound phone is told, and the new number counts 72 hours after it was, unless a freeze stops it; " +
			"until then PIN and links go on under the old number, and the PIN can neither be recovered nor the phone be changed. Card, links and PIN go along; afterwards the old number leads nowhere. " +
			"Send it again, under another business number, to learn how it stands. Many at once go through the operator's import.",
		codes: []liuma.Code{liuma.CodeBusinessNoUsed, liuma.CodeBusy, liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeNotInRegistry, liuma.CodeNotFound,
			liuma.CodeCorrectionSame, liuma.CodeCorrectionWaits, liuma.CodeCorrectionStopped, liuma.CodeCorrectionHasCard, liuma.CodeCorrectionContested,
			liuma.CodeFrozen, liuma.CodeCancelled, liuma.CodeChangeUnderWay, liuma.CodeRationSpent},
	}
}

func verificationEndpoint() endpoint {
	return endpoint{
		path: "/v1/verifications/{business_no}", id: "verification", kind: store.ClientChannel, answer: verificationView{},
		summary: "Ask what became of a request, of any action (按业务流水号查询)",
		detail:  "For an answer that was lost on the way. Tells what the first answer told, and no more.",
		codes:   []liuma.Code{liuma.CodeNotFound},
	}
}

func cardEndpoint() endpoint {
	return endpoint{
		path: "/v1/cards/{card}", id: "card", kind: store.ClientChannel, answer: cardView{},
		summary: "Standing of a linked card, and the age of its PIN (卡状态)",
		detail:  "By the handle of a link in this channel. A handle of another channel is not_found, like one that never was.",
		codes:   []liuma.Code{liuma.CodeNotFound},
	}
}

func unlinkEndpoint() endpoint {
	return endpoint{
		path: "/v1/links/{handle}", id: "unlink", kind: store.ClientChannel, answer: endedLinkView{},
		summary: "End a link of this channel (解除关联)",
		detail:  "For an account that was closed, or whose holder wants it. The bound phone is told. The handle leads nowhere from then on; other links of the card stay.",
		codes:   []liuma.Code{liuma.CodeNotFound, liuma.CodeRationSpent},
	}
}

func consentEndpoint() endpoint {
	return endpoint{
		path: "/v1/consent", id: "consent", kind: store.ClientChannel, answer: consentView{},
		summary: "The text about their data that holders agree to (同意书)",
		detail:  "To be shown before an enrolment on a page of the channel's own, whose consent_version names its version. Ask for it each time: it may change.",
	}
}

func agenciesEndpoint() endpoint {
	return endpoint{
		path: "/v1/agencies/{region}", id: "agencies", kind: store.ClientChannel, answer: agenciesView{},
		summary: "Offices and hotlines that serve a region (经办机构)",
		detail: "For a page of the channel's own that sends its holder to a counter: by the region that the holder names, never by the position of a phone. " +
			"Where the region has no office, those of its city or its province are answered, and region says of which. The nation is 0. May be kept for five minutes.",
	}
}

func readyEndpoint() endpoint {
	return endpoint{
		path: "/readyz", id: "ready", answer: healthView{},
		summary: "Whether verdicts can be given now (就绪)",
		detail:  "For load balancers. 503 while no verdict can be given, with the cause in the log and in 'liuma status'.",
		codes:   []liuma.Code{liuma.CodeUnavailable},
	}
}

func healthEndpoint() endpoint {
	return endpoint{
		path: "/healthz", id: "health", answer: healthView{},
		summary: "Whether the process is alive (存活)",
		detail:  "For supervisors. It asks neither the database nor the keepers.",
	}
}
