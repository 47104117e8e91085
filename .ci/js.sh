# The JavaScript library that shares its bus with us, for the tests of both together. Sourced by .ci/run, not run.

js_home=$PWD/.ci/cache/js

# install_js puts the library and what it needs into the cache and exports INSIDEOUT_JS, the folder that has its
# node_modules; 3 if a tool is missing.
install_js() {
	if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
		missing 'node (18 or later) with npm, so nothing ran together with the JavaScript library'
		return 3
	fi
	if ! cmp -s .ci/js/package-lock.json "$js_home/complete"; then
		rm -rf "$js_home"
		mkdir -p "$js_home"
		cp .ci/js/package.json .ci/js/package-lock.json "$js_home"
		(cd "$js_home" && within 300 npm ci --silent --no-audit --no-fund --ignore-scripts </dev/null) || return 1
		cp .ci/js/package-lock.json "$js_home/complete"
	fi
	export INSIDEOUT_JS=$js_home
}
