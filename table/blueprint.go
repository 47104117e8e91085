package table

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// templateName takes what may be the name of a table once the ${…} in it are replaced. It is large, and most programs need none.
var templateName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9_.-]|\$\{[A-Za-z0-9_.:]+\}){1,255}$`)
})

// CloudFormation is a template in YAML with the table as its only resource, Table: on-demand, with stream, time to live,
// point-in-time recovery and encryption. It is kept when the stack is deleted. The name may have parameters: "${Stage}-entities".
// The text depends on the definitions and the name alone.
func (s *TableSchema) CloudFormation(name string) (string, error) {
	in, err := s.blueprint(name)
	if err != nil {
		return "", err
	}
	y := &printer{}
	y.line(0, "Resources:")
	y.line(1, "Table:")
	y.line(2, "Type: AWS::DynamoDB::Table")
	y.line(2, "DeletionPolicy: Retain")
	y.line(2, "UpdateReplacePolicy: Retain")
	y.line(2, "Properties:")
	sub := ""
	if strings.Contains(name, "$") {
		sub = "!Sub "
	}
	y.line(3, "TableName: %s%q", sub, name)
	y.line(3, "BillingMode: %s", in.BillingMode)
	y.line(3, "AttributeDefinitions:")
	for _, a := range in.AttributeDefinitions {
		y.line(4, "- AttributeName: %q", *a.AttributeName)
		y.line(4, "  AttributeType: %s", a.AttributeType)
	}
	y.keys(3, in.KeySchema)
	y.line(3, "GlobalSecondaryIndexes:")
	for _, x := range in.GlobalSecondaryIndexes {
		y.line(4, "- IndexName: %q", *x.IndexName)
		y.keys(5, x.KeySchema)
		y.line(5, "Projection:")
		y.line(6, "ProjectionType: %s", x.Projection.ProjectionType)
	}
	y.line(3, "StreamSpecification:")
	y.line(4, "StreamViewType: %s", in.StreamSpecification.StreamViewType)
	y.line(3, "TimeToLiveSpecification:")
	y.line(4, "AttributeName: %q", s.TTLAttribute())
	y.line(4, "Enabled: true")
	y.line(3, "PointInTimeRecoverySpecification:")
	y.line(4, "PointInTimeRecoveryEnabled: true")
	y.line(3, "SSESpecification:")
	y.line(4, "SSEEnabled: true")
	return y.String(), nil
}

// Terraform is the table as a resource in HCL, aws_dynamodb_table.table, with what CloudFormation has. The name may have variables:
// "${var.stage}-entities".
func (s *TableSchema) Terraform(name string) (string, error) {
	in, err := s.blueprint(name)
	if err != nil {
		return "", err
	}
	h := &printer{}
	h.line(0, `resource "aws_dynamodb_table" "table" {`)
	h.line(1, "name             = %q", name)
	h.line(1, "billing_mode     = %q", in.BillingMode)
	h.line(1, "hash_key         = %q", *in.KeySchema[0].AttributeName)
	h.line(1, "range_key        = %q", *in.KeySchema[1].AttributeName)
	h.line(1, "stream_enabled   = true")
	h.line(1, "stream_view_type = %q", in.StreamSpecification.StreamViewType)
	for _, a := range in.AttributeDefinitions {
		h.block("attribute", fmt.Sprintf("name = %q", *a.AttributeName), fmt.Sprintf("type = %q", a.AttributeType))
	}
	for _, x := range in.GlobalSecondaryIndexes {
		lines := []string{fmt.Sprintf("name            = %q", *x.IndexName)}
		lines = append(lines, terraformKeys(x.KeySchema)...)
		h.block("global_secondary_index", append(lines, fmt.Sprintf("projection_type = %q", x.Projection.ProjectionType))...)
	}
	h.block("ttl", fmt.Sprintf("attribute_name = %q", s.TTLAttribute()), "enabled        = true")
	h.block("point_in_time_recovery", "enabled = true")
	h.block("server_side_encryption", "enabled = true")
	h.block("lifecycle", "prevent_destroy = true")
	h.line(0, "}")
	return h.String(), nil
}

// terraformKeys are the keys of an index: a block each where there are several attributes.
func terraformKeys(keys []types.KeySchemaElement) (lines []string) {
	if len(keys) == 2 {
		return []string{fmt.Sprintf("hash_key        = %q", *keys[0].AttributeName), fmt.Sprintf("range_key       = %q", *keys[1].AttributeName)}
	}
	for _, k := range keys {
		lines = append(lines, "", "key_schema {", fmt.Sprintf("  attribute_name = %q", *k.AttributeName), fmt.Sprintf("  key_type       = %q", k.KeyType), "}")
	}
	return append(lines, "")
}

func (s *TableSchema) blueprint(name string) (*dynamodb.CreateTableInput, error) {
	if !templateName().MatchString(name) {
		return nil, invalid("%q cannot be the name of a table: letters, digits, _, . and -, and parameters as in ${Stage}", name)
	}
	return s.CreateTableInput(name)
}

// printer writes indented lines.
type printer struct{ strings.Builder }

func (p *printer) line(depth int, format string, args ...any) {
	p.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// keys is a key schema in YAML.
func (p *printer) keys(depth int, keys []types.KeySchemaElement) {
	p.line(depth, "KeySchema:")
	for _, k := range keys {
		p.line(depth+1, "- AttributeName: %q", *k.AttributeName)
		p.line(depth+1, "  KeyType: %s", k.KeyType)
	}
}

// block is a block of HCL within a resource.
func (p *printer) block(name string, lines ...string) {
	p.line(0, "")
	p.line(1, "%s {", name)
	for _, l := range lines {
		if l == "" {
			p.line(0, "")
			continue
		}
		p.line(2, "%s", l)
	}
	p.line(1, "}")
}

// Markdown is a chart of the models: their keys, and what can be asked of them through which index.
func (s *TableSchema) Markdown() (string, error) {
	if _, err := s.CreateTableInput("chart"); err != nil {
		return "", err
	}
	p := &printer{}
	p.line(0, "## Models\n")
	p.row("Model", "Go type", "pk", "sk", "Kept for", "Lanes", "Unique", "Subject")
	p.row("---", "---", "---", "---", "---", "---", "---", "---")
	for _, m := range s.models {
		base := m.base()
		pk, sk := pattern("", base.pk), pattern(base.prefix, base.sk)
		if m.keys != nil {
			pk, sk = "by a function", "by a function"
		}
		p.row(m.name, code(m.goType.String()), pk, sk, m.kept(), m.laneNames(), m.uniqueNames(), m.subjectName())
	}
	p.line(0, "\n## Access patterns\n")
	p.row("Model", "Asked for", "Index", "Partition", "Order")
	p.row("---", "---", "---", "---", "---")
	for _, m := range s.models {
		m.patterns(p)
	}
	return p.String(), nil
}

func (m *model) patterns(p *printer) {
	base, list := m.base(), m.byName()
	partition, order := attrPK+" = "+pattern("", base.pk), attrSK+" = "+pattern(base.prefix, base.sk)
	listed := list.SK + " = " + pattern("", list.sk)
	if m.keys != nil {
		partition, order, listed = attrPK, attrSK, list.SK
	}
	p.row(m.name, "one by id", "table", partition, order)
	if m.owner != nil {
		p.row(m.name, "all of an owner", "table", partition, attrSK+" from "+code(base.prefix))
	}
	p.row(m.name, "all", list.Name, list.PK+" = "+pattern(list.partition, list.pk), listed)
	for _, of := range m.people {
		x := of.index()
		p.row(m.name, "all about a person", x.Name, x.PK+" = "+code("hash of {"+of.goPath+"}"), x.SK)
	}
	for _, x := range m.indexes {
		if x.Native {
			p.row(m.name, "by "+fieldNames(x.pk, x.sk), x.Name, attrNames(x.hash()), attrNames(x.order()))
			continue
		}
		p.row(m.name, "by "+fieldNames(x.pk, x.sk), x.Name, x.PK+" = "+pattern(x.partition, x.pk)+x.spread(), x.SK+" = "+pattern(x.prefix, x.sk))
	}
}

func (p *printer) row(cells ...string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	p.line(0, "| %s |", strings.Join(cells, " | "))
}

func code(text string) string { return "`" + text + "`" }

// pattern is a key with its fields in braces.
func pattern(constant string, parts []*keyed) string {
	segments := make([]string, len(parts))
	for i, k := range parts {
		segments[i] = "{" + k.handle.goPath + "}"
	}
	return code(constant + strings.Join(segments, delimiter))
}

func fieldNames(lists ...[]*keyed) string {
	var names []string
	for _, list := range lists {
		for _, k := range list {
			names = append(names, k.handle.goPath)
		}
	}
	return strings.Join(names, ", ")
}

func attrNames(attrs []keyAttr) string {
	names := make([]string, len(attrs))
	for i, a := range attrs {
		names[i] = a.name
	}
	return strings.Join(names, ", ")
}

func (m *model) kept() string {
	switch {
	case m.retain == 0:
		return "ever"
	case m.retain%Day == 0:
		return strconv.Itoa(int(m.retain/Day)) + " days"
	}
	return m.retain.String()
}

func (m *model) laneNames() string {
	var names []string
	for _, l := range m.lanes[1:] {
		names = append(names, string(l.name))
	}
	return strings.Join(names, ", ")
}

func (m *model) uniqueNames() string {
	var names []string
	for _, u := range m.uniques {
		names = append(names, fieldNames(u.parts))
	}
	return strings.Join(names, "; ")
}

func (m *model) subjectName() string {
	var names []string
	for _, p := range m.people {
		names = append(names, p.goPath)
	}
	return strings.Join(names, ", ")
}
