package tabletest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func pageRules() []rule {
	return []rule{
		{"pages/a_limit_gives_the_key_to_go_on_from", pageLimit},
		{"pages/a_page_that_ends_at_the_limit_has_a_last_key", pageExact},
		{"pages/descending", pageDescending},
		{"pages/the_limit_counts_items_before_the_filter", pageFilter},
		{"pages/end_at_1_MB", pageMegabyte},
		{"pages/1_MB_is_counted_before_filter_and_projection", pageMegabyteFiltered},
		{"pages/a_start_key_need_not_exist", pageStartMissing},
		{"pages/refuses_a_start_key_of_another_partition", pageStartOther},
		{"pages/refuses_a_start_key_without_sort_key", pageStartShort},
		{"pages/refuses_a_start_key_of_another_type", pageStartType},
		{"pages/the_values_of_a_start_key_come_before_the_table", pageStartValues},
		{"pages/refuses_a_limit_of_zero", pageLimitZero},
	}
}

func pageLimit(c *check) {
	table := c.sorted("pk:S sk:N")
	out := c.query(table, find{key: "pk = :p", values: item{":p": "x"}, limit: 3})
	c.equal("sort keys", column(out.Items, "sk"), "[1, 2, 3]")
	c.equal("last key", out.LastEvaluatedKey, item{"pk": "x", "sk": 3})
	out = c.query(table, find{key: "pk = :p", values: item{":p": "x"}, limit: 3, start: out.LastEvaluatedKey})
	c.equal("sort keys", column(out.Items, "sk"), "[10]")
	c.that(out.LastEvaluatedKey == nil, "a last key at the end")
}

func pageExact(c *check) {
	table := c.sorted("pk:S sk:N")
	out := c.query(table, find{key: "pk = :p", values: item{":p": "x"}, limit: 4})
	c.equal("last key", out.LastEvaluatedKey, item{"pk": "x", "sk": 10})
	out = c.query(table, find{key: "pk = :p", values: item{":p": "x"}, limit: 4, start: out.LastEvaluatedKey})
	c.equal("items", len(out.Items), 0)
	c.that(out.Items != nil, "Items is left out of an empty page")
	c.that(out.LastEvaluatedKey == nil, "a last key at the end")
}

func pageDescending(c *check) {
	items, pages := c.pages(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, limit: 1, descending: true})
	c.equal("sort keys", column(items, "sk"), "[10, 3, 2, 1]")
	c.equal("pages", pages, 5)
}

func pageFilter(c *check) {
	table := c.sorted("pk:S sk:N")
	out := c.query(table, find{key: "pk = :p", filter: "even = :t", values: item{":p": "x", ":t": true}, limit: 3})
	c.equal("sort keys", column(out.Items, "sk"), "[1]")
	c.equal("scanned", out.ScannedCount, 3)
	c.equal("last key", out.LastEvaluatedKey, item{"pk": "x", "sk": 3})
}

// heavy fills one partition with n items of 100 KB.
func (c *check) heavy(n int) string {
	table := c.create("pk:S sk:N")
	for i := range n {
		c.put(table, item{"pk": "x", "sk": i, "v": big(100 << 10), "even": i%2 == 0})
	}
	return table
}

func pageMegabyte(c *check) {
	table := c.heavy(25)
	out := c.query(table, find{key: "pk = :p", values: item{":p": "x"}})
	c.equal("items of 100 KB, the last of which reaches 1 MB", len(out.Items), 11)
	c.that(out.LastEvaluatedKey != nil, "no last key")
	items, pages := c.pages(table, find{key: "pk = :p", values: item{":p": "x"}})
	c.equal("items", len(items), 25)
	c.equal("pages", pages, 3)
}

func pageMegabyteFiltered(c *check) {
	table := c.heavy(15)
	out := c.query(table, find{
		key: "pk = :p", filter: "even = :t", project: "sk", values: item{":p": "x", ":t": true},
	})
	c.that(out.LastEvaluatedKey != nil, "no last key: the page was counted after the filter")
	c.equal("items scanned, the last of which reaches 1 MB", out.ScannedCount, 11)
}

func pageStartMissing(c *check) {
	out := c.query(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, start: row(item{"pk": "x", "sk": num("2.5")})})
	c.equal("sort keys", column(out.Items, "sk"), "[3, 10]")
}

func pageStartOther(c *check) {
	_, err := c.tryQuery(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, start: row(item{"pk": "other", "sk": 1})})
	c.invalid(err, "The provided starting key is")
}

func pageStartShort(c *check) {
	_, err := c.tryQuery(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, start: row(item{"pk": "x"})})
	c.invalid(err, "The provided starting key is invalid")
}

func pageStartType(c *check) {
	_, err := c.tryQuery(c.sorted("pk:S sk:N"), find{key: "pk = :p", values: item{":p": "x"}, start: row(item{"pk": "x", "sk": "1"})})
	c.invalid(err, "The provided starting key is invalid")
}

func pageStartValues(c *check) {
	for want, start := range map[string]item{
		"The provided starting key is invalid: One or more parameter values were invalid: An string set  may not be empty": {"pk": ss{}},
		"The parameter cannot be converted to a numeric value: 1e":                                                         {"pk": num("1e")},
	} {
		_, err := c.tryQuery(c.unique(), find{key: "pk = :p", values: item{":p": "x"}, start: row(start)})
		c.invalid(err, want)
		_, err = c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: new(c.unique()), ExclusiveStartKey: row(start)})
		c.invalid(err, want)
	}
}

func pageLimitZero(c *check) {
	table := c.create("pk:S")
	_, err := c.DynamoDB.Query(c.ctx, &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: row(item{":p": "x"}), Limit: new(int32(0)),
	})
	c.invalid(err)
}

func scanRules() []rule {
	return []rule{
		{"scans/find_every_item_once", scanAll},
		{"scans/page_by_limit", scanPages},
		{"scans/page_by_1_MB", scanMegabyte},
		{"scans/filter_and_count", scanFilter},
		{"scans/segments_part_the_table", scanSegments},
		{"scans/refuses_a_segment_without_total", scanSegmentAlone},
		{"scans/refuses_a_segment_past_the_total", scanSegmentPast},
		{"scans/an_empty_table_has_no_items", scanEmpty},
	}
}

// scan follows a scan to its end.
func (c *check) scan(in *dynamodb.ScanInput) (items []attrs, pages int) {
	for {
		out, err := c.DynamoDB.Scan(c.ctx, in)
		c.ok(err)
		items = append(items, out.Items...)
		if pages++; out.LastEvaluatedKey == nil {
			return items, pages
		}
		c.that(pages < 1000, "a scan that does not end")
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// spread fills a table with n partitions and returns the keys of its items as they print, in order.
func (c *check) spread(n int) (table string, keys []string) {
	table = c.create("pk:S sk:N")
	for i := range n {
		it := item{"pk": fmt.Sprint("partition-", i), "sk": i}
		c.put(table, it)
		keys = append(keys, show(it))
	}
	slices.Sort(keys)
	return table, keys
}

func printed(items []attrs) []string {
	var texts []string
	for _, it := range items {
		texts = append(texts, show(it))
	}
	slices.Sort(texts)
	return texts
}

func scanAll(c *check) {
	table, want := c.spread(40)
	items, _ := c.scan(&dynamodb.ScanInput{TableName: &table})
	c.equal("items", printed(items), want)
}

func scanPages(c *check) {
	table, want := c.spread(23)
	items, pages := c.scan(&dynamodb.ScanInput{TableName: &table, Limit: new(int32(5))})
	c.equal("items", printed(items), want)
	c.equal("pages", pages, 5)
}

func scanMegabyte(c *check) {
	table := c.heavy(15)
	items, pages := c.scan(&dynamodb.ScanInput{TableName: &table})
	c.equal("items", len(items), 15)
	c.equal("pages", pages, 2)
}

func scanFilter(c *check) {
	table := c.sorted("pk:S sk:N")
	out, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{
		TableName: &table, FilterExpression: new("sk > :a AND pk = :p"), ExpressionAttributeValues: row(item{":a": 2, ":p": "x"}),
		Select: types.SelectCount,
	})
	c.ok(err)
	c.that(out.Items == nil, "there are items")
	c.equal("counts", []int32{out.Count, out.ScannedCount}, []int{2, 8})
}

func scanSegments(c *check) {
	const total = 4
	table, want := c.spread(60)
	seen := map[string]int{}
	for segment := range int32(total) {
		items, _ := c.scan(&dynamodb.ScanInput{
			TableName: &table, Segment: &segment, TotalSegments: new(int32(total)), Limit: new(int32(7)),
		})
		for _, text := range printed(items) {
			seen[text]++
		}
		c.that(len(items) < len(want), "one segment has the whole table")
	}
	c.equal("items", slices.Sorted(maps.Keys(seen)), want)
	for text, n := range seen {
		c.that(n == 1, "%s is in %d segments", text, n)
	}
}

func scanSegmentAlone(c *check) {
	table := c.create("pk:S")
	_, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, Segment: new(int32(0))})
	c.invalid(err, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	_, err = c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, TotalSegments: new(int32(2))})
	c.invalid(err, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
}

func scanSegmentPast(c *check) {
	table := c.create("pk:S")
	_, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table, Segment: new(int32(2)), TotalSegments: new(int32(2))})
	c.invalid(err, "The Segment parameter is zero-based and must be less than parameter TotalSegments")
}

func scanEmpty(c *check) {
	table := c.create("pk:S")
	out, err := c.DynamoDB.Scan(c.ctx, &dynamodb.ScanInput{TableName: &table})
	c.ok(err)
	c.that(out.Items != nil && len(out.Items) == 0, "Items is %v", out.Items)
	c.equal("counts", []int32{out.Count, out.ScannedCount}, []int{0, 0})
}
