# Helpers of .ci/run. Sourced, not run.

# step NAME COMMAND…: a heading, the command, and how long it took. The first failure ends the run.
step() {
	local name=$1 start=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	"$@"
	printf -- '-- %s: %d s\n' "$name" $((SECONDS - start))
}

# missing WHAT: on a build server a failure, on a user's machine a line that says what was not checked.
missing() {
	if [ "${CI:-}" = true ]; then
		echo "missing: $1" >&2
		exit 1
	fi
	echo "skipped: $1"
}

# within SECONDS COMMAND…: a command that hangs fails instead.
within() {
	local limit=$1
	shift
	if command -v timeout >/dev/null; then timeout "$limit" "$@"; else "$@"; fi
}

# tool NAME ARGUMENT…: one of the tools in internal/tools, at its pinned version.
tool() {
	go tool -modfile=internal/tools/go.mod "$@"
}

# field FILE NAME: the value of a member of a flat JSON object.
field() {
	tr -d '\n' <"$1" | grep -oE "\"$2\" *: *(\"[^\"]*\"|[0-9]+)" | head -n 1 | sed -E 's/^[^:]*: *"?//; s/"$//'
}

# expect FILE NAME VALUE
expect() {
	local got
	got=$(field "$1" "$2" || true)
	if [ "$got" != "$3" ]; then
		echo "summary: $2 is '$got', want '$3'" >&2
		return 1
	fi
	echo "$2 $got"
}

servers= # the processes of those that run

# start_server NAME VARIABLE LOG PORT COMMAND…: a server that writes to its log which port of 127.0.0.1 it took, where the sed
# script PORT finds it. VARIABLE is exported with its URL.
start_server() {
	local name=$1 variable=$2 log=$3 find=$4 port=
	shift 4
	: >"$log"
	"$@" >"$log" 2>&1 </dev/null &
	servers="$servers $!"
	for _ in $(seq 600); do
		port=$(sed -nE "$find" "$log")
		[ -n "$port" ] && break
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	if [ -z "$port" ]; then
		echo "$name did not start:" >&2
		tail -n 20 "$log" >&2
		return 1
	fi
	export "$variable=http://127.0.0.1:$port"
	echo "$name answers at http://127.0.0.1:$port"
}

stop_servers() {
	local pid
	for pid in $servers; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	servers=
}
