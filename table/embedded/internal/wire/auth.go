package wire

import (
	"net/http"
	"strings"
)

// authenticate asks for the shape of a signed request. No signature is
// checked: the server has no accounts.
func authenticate(q *request) *fault {
	header := q.authorization
	if header == "" && strings.Contains(q.query, "X-Amz-Algorithm") {
		return nil
	}
	if !strings.HasPrefix(header, "AWS4-") {
		return &fault{
			status: http.StatusBadRequest, code: "MissingAuthenticationTokenException",
			message: "Request is missing Authentication Token",
		}
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if !strings.Contains(header, name+"=") {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if !q.dated {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if missing == nil {
		return nil
	}
	return &fault{
		status: http.StatusBadRequest, code: "IncompleteSignatureException",
		message: strings.Join(missing, " ") + " Authorization=" + header,
	}
}
