package tabletest

import "strings"

func numberRules() []rule {
	var rules []rule
	for _, n := range []struct{ name, in, out string }{
		{"zeros_go", "007.500", "7.5"},
		{"minus_zero_is_zero", "-0.0", "0"},
		{"exponents_are_written_out", "1.5e3", "1500"},
		{"small_exponents_are_written_out", "12E-4", "0.0012"},
		{"38_digits_are_kept", "12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
		{"38_digits_of_a_fraction_are_kept", "-0.12345678901234567890123456789012345678", "-0.12345678901234567890123456789012345678"},
		{"zeros_do_not_count_as_digits", "1" + zeros(50) + ".0", "1" + zeros(50)},
		{"the_largest_exponent", "9e125", "9" + zeros(125)},
		{"the_smallest_exponent", "1e-130", "0." + zeros(129) + "1"},
		{"a_plus_sign_and_a_bare_point", "+.5", "0.5"},
	} {
		rules = append(rules, rule{"numbers/" + n.name, func(c *check) {
			table := c.create("pk:S")
			c.put(table, item{"pk": "a", "n": num(n.in), "set": ns{n.in}})
			c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": num(n.out), "set": ns{n.out}})
		}})
	}
	for _, n := range []struct{ name, in, text string }{
		{"39_digits", "123456789012345678901234567890123456789", "significant"},
		{"an_overflow", "1e126", "overflow"},
		{"a_negative_overflow", "-1e126", "overflow"},
		{"an_underflow", "1e-131", "underflow"},
		{"a_huge_exponent", "1e1000000000", "overflow"},
		{"a_huge_negative_exponent", "1e-9223372036854775808", "underflow"},
		{"an_exponent_over_64_bits", "1e9223372036854775808", "numeric"},
		{"an_empty_text", "", ""},
		{"a_word", "NaN", "numeric"},
		{"infinity", "Infinity", "numeric"},
		{"hexadecimal", "0x10", "numeric"},
		{"blanks", " 1 ", "numeric"},
		{"an_exponent_without_digits", "1e", "numeric"},
		{"two_points", "1.2.3", "numeric"},
	} {
		rules = append(rules, rule{"numbers/refuses_" + n.name, func(c *check) {
			table := c.create("pk:S")
			_, err := c.tryPut(table, item{"pk": "a", "n": num(n.in)})
			c.invalid(err, n.text)
			_, err = c.tryPut(table, item{"pk": "a", "n": list{ns{n.in}}})
			c.invalid(err, n.text)
		}})
	}
	for _, s := range []struct{ name, sum, text string }{
		{"39_digits", "{1e50} + {1}", "overflow"},
		{"39_digits_by_little", "{99999999999999999999999999999999999999} + {2}", "overflow"},
		{"39_digits_below", "{1e50} - {1}", "overflow"},
		{"an_overflow", "{9e125} + {9e125}", "overflow"},
		{"an_overflow_below", "{-9e125} - {9e125}", "overflow"},
		{"an_underflow", "{1.1e-130} - {1e-130}", "underflow"},
	} {
		rules = append(rules, rule{"numbers/refuses_a_sum_of_" + s.name, func(c *check) { refusedSum(c, s.sum, s.text) }})
	}
	return append(rules, rule{"numbers/arithmetic_is_exact", exactArithmetic})
}

// refusedSum: the service says of too many digits, too, that the number is too large.
func refusedSum(c *check, sum, text string) {
	table := c.create("pk:S")
	terms := strings.FieldsFunc(sum, func(r rune) bool { return r == '{' || r == '}' })
	operator := terms[1]
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = :a" + operator + ":b", values: item{":a": num(terms[0]), ":b": num(terms[2])}})
	c.invalid(err, "Number "+text+". Attempting to store a number with magnitude")
	c.missing(table, item{"pk": "a"})
	if operator == " + " {
		c.put(table, item{"pk": "a", "n": num(terms[0])})
		_, err = c.update(table, item{"pk": "a"}, change{expr: "ADD n :b", values: item{":b": num(terms[2])}})
		c.invalid(err, "Number "+text)
	}
}

func zeros(n int) string {
	digits := make([]byte, n)
	for i := range digits {
		digits[i] = '0'
	}
	return string(digits)
}

func exactArithmetic(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": num("0.1"), "m": num("99999999999999999999999999999999999999")})
	_, err := c.update(table, item{"pk": "a"}, change{expr: "SET n = n + :d, m = m - :e", values: item{":d": num("0.2"), ":e": 1}})
	c.ok(err)
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": num("0.3"), "m": num("99999999999999999999999999999999999998")})
}
