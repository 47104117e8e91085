package tabletest_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/tabletest"
)

// isDynamoDBLocal tells by the web server that it is built on.
func isDynamoDBLocal(t *testing.T, url string) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err, "does the endpoint of INSIDEOUT_DYNAMODB_ENDPOINT run?")
	require.NoError(t, res.Body.Close())
	return strings.HasPrefix(res.Header.Get("Server"), "Jetty")
}

// Texts of Local in which the cases want another.
const (
	word    = "another text: "
	unknown = word + "\"Cannot do operations on a non-existent table\""
)

// differencesOfLocal lists the cases in which DynamoDB Local 2.6.1 is known to
// differ, each with what it does. In all of them the case is right, and Local
// wrong, by AWS's documentation or by answers of the service that independent suites recorded.
func differencesOfLocal() map[string]string {
	const (
		number = word + "\"A value provided cannot be converted into a number\""
		digits = word + "\"DynamoDB only supports precision up to 38 digits\""
		whole  = "answers the whole attribute, where the documentation has the touched path only"
	)
	return map[string]string{
		"batches/get/refuses_one_key_twice":                             "does not find 1 and 1.0 to be one key",
		"batches/write/an_unknown_table_refuses_all":                    unknown,
		"collections/metrics_come_for_tables_with_local_indexes":        "gives none",
		"errors/an_update_tells_the_first_constraint_alone":             "has no envelope for this constraint",
		"errors/constraints_come_before_the_table":                      "looks for the table first",
		"errors/constraints_come_with_value_path_and_rule":              "has no envelope for this constraint",
		"errors/expressions_come_before_the_table":                      "looks for the table first",
		"errors/several_constraints_come_together":                      "reports one at a time",
		"items/get/an_item_without_what_is_projected_is_empty":          "answers an empty item in a transaction, too, where the service leaves it out",
		"keys/refuses_a_lookup_with_a_further_attribute":                word + "\"The number of conditions on the keys is invalid\"",
		"legacy/AttributeUpdates/DELETE_does_not_create_a_missing_item": "creates it",
		"numbers/refuses_39_digits":                                     digits,
		"numbers/refuses_a_huge_negative_exponent":                      number,
		"numbers/refuses_an_exponent_over_64_bits":                      number,
		"numbers/refuses_a_sum_of_39_digits":                            digits,
		"numbers/refuses_a_sum_of_39_digits_below":                      digits,
		"numbers/refuses_a_sum_of_39_digits_by_little":                  digits,
		"numbers/refuses_a_word":                                        number,
		"numbers/refuses_an_exponent_without_digits":                    number,
		"numbers/refuses_blanks":                                        number,
		"numbers/refuses_hexadecimal":                                   number,
		"numbers/refuses_infinity":                                      number,
		"numbers/refuses_two_points":                                    number,
		"pages/1_MB_is_counted_before_filter_and_projection":            "counts what the filter lets through",
		"pages/refuses_a_start_key_of_another_partition":                word + "\"The provided starting key does not match the range key predicate\"",
		"pages/refuses_a_start_key_of_another_type":                     word + "\"Type mismatch for attribute to update\"",
		"pages/refuses_a_start_key_without_sort_key":                    word + "\"Exclusive Start Key must have same size as table's key schema\"",
		"queries/refuses_a_partition_key_of_2049_bytes":                 "finds nothing",
		"pages/the_values_of_a_start_key_come_before_the_table":         "looks for the table first",
		"queries/refuses_another_attribute":                             "does not name the missing key",
		"queries/refuses_no_partition_key":                              "does not name the missing key",
		"scans/refuses_a_segment_past_the_total":                        word + "the envelope of a constraint",
		"scans/refuses_a_segment_without_total":                         word + "\"If segment is specified, total segment must also be specified\"",
		"transactions/write/a_bad_update_cancels":                       "refuses the whole request, where the documentation has a cancellation with its reason",
		"transactions/write/reasons_come_in_order_with_their_items":     "its message ends with a full stop",
		"transactions/write/refuses_one_item_twice":                     "does not find 1 and 1.0 to be one key",
		"updates/REMOVE_and_DELETE_on_a_missing_item_create_nothing":    "creates an item",
		"updates/SET_if_not_exists_reads_its_second_operand_only_then":  "reads it always",
		"updates/returns_what_stands_at_the_updated_indexes":            whole,
		"updates/returns_UPDATED_NEW_of_a_path":                         whole,
		"updates/returns_UPDATED_NEW_of_elements":                       whole,
		"updates/returns_UPDATED_OLD_of_a_path":                         whole,
		"updates/returns_UPDATED_OLD_of_elements":                       whole,
	}
}

// tableDifferencesOfLocal are those of tables and indexes.
func tableDifferencesOfLocal() map[string]string {
	return map[string]string{
		"indexes/create/backfill_skips_what_cannot_be_a_key":         "the index stays in CREATING for ever",
		"indexes/global/refuses_a_start_key_of_the_table_alone":      word + "\"Exclusive Start Key must have same size as table's key schema\"",
		"indexes/global/refuses_consistent_reads":                    word + "\"Consistent read cannot be true when querying a GSI\"",
		"indexes/global/refuses_a_key_that_is_too_large":             word + "\"Size limit exceeded\"",
		"indexes/multi/create/refuses_one_attribute_twice":           word + "\"Cannot have two attributes with the same name\"",
		"indexes/scan_filters_what_is_projected":                     "fetches the rows for the filter",
		"indexes/update/refuses_throughput_on_demand":                "answers an internal failure",
		"tables/create/describes_what_was_asked_for":                 "has no stable TableId",
		"tables/create/refuses_a_projection_of_21_attributes":        "accepts it",
		"tables/create/refuses_another_table_class":                  "accepts it",
		"tables/create/refuses_throughput_on_demand":                 "accepts it",
		"tables/create/twice_is_in_use":                              word + "\"Cannot create preexisting table\"",
		"tables/delete/answers_DELETING_and_the_table_goes":          "answers ACTIVE",
		"tables/delete/unknown_is_not_found":                         unknown,
		"tables/describe/unknown_is_not_found":                       unknown,
		"tables/items/operations_on_an_unknown_table_are_not_found":  unknown,
		"tables/update/billing_mode_is_told_and_changes_the_indexes": "leaves the indexes their throughput",
		"tables/update/throughput_tells_when_it_changed":             "counts no decreases",
		"tables/update/refuses_a_change_of_two_kinds":                "does the first",
		"tables/update/refuses_no_throughput_when_provisioned":       "accepts it",
		"tables/update/refuses_the_throughput_that_it_has":           word + "\"The requested throughput value equals the current value\"",
		"tables/update/refuses_the_throughput_that_its_index_has":    word + "\"The requested throughput value equals the current value\"",
		"tables/update/refuses_throughput_on_demand":                 "accepts it",
	}
}

// olderDifferencesOfLocal are those with the parameters of before expressions.
func olderDifferencesOfLocal() map[string]string {
	const operator = "another text: \"Comparison type does not exist in DynamoDB\""
	return map[string]string{
		"legacy/AttributeUpdates/DELETE_does_not_create_a_missing_item": "creates it",
		"legacy/AttributesToGet/refuses_none_and_one_twice":             "another text: \"AttributesToGet cannot be empty\"",
		"legacy/AttributeUpdates/refuses_an_unknown_action":             "has no envelope for this constraint",
		"legacy/Expected/refuses_an_unknown_operator":                   operator,
		"legacy/KeyConditions/refuses_what_no_index_answers":            "answers an internal failure to NOT_CONTAINS",
		"legacy/ScanFilter/refuses_an_unknown_operator":                 operator,
		"legacy/refuses_names_that_are_empty_or_too_long":               "takes a name of any length in AttributesToGet",
	}
}

// dynamoDBLocal adds what it does not know at all.
func dynamoDBLocal() map[string]string {
	differs := differencesOfLocal()
	maps.Copy(differs, tableDifferencesOfLocal())
	maps.Copy(differs, olderDifferencesOfLocal())
	for _, name := range tabletest.Cases() {
		if strings.HasPrefix(name, "indexes/multi/") && !strings.HasPrefix(name, "indexes/multi/create/") {
			differs[name] = "knows no keys of several attributes (its version 3.3.0 is the first)"
		}
		if strings.HasPrefix(name, "tags/") || name == "account/describes_an_endpoint" {
			differs[name] = "does not implement the operation"
		}
	}
	return differs
}
