# DynamoDB Local for the suites that want a real endpoint. Sourced by .ci/run, not run.

dynamodb_lib=$PWD/.ci/cache/dynamodb-local
dynamodb_pid=

# install_dynamodb copies DynamoDB Local and its libraries into the cache; 3 if a tool is missing.
install_dynamodb() {
	if ! command -v javac >/dev/null; then
		missing 'a Java development kit (17 or later), so nothing ran against DynamoDB Local'
		return 3
	fi
	if [ -f "$dynamodb_lib/complete" ] && cmp -s .ci/dynamodb-local.pom.xml "$dynamodb_lib/complete"; then
		return 0
	fi
	if ! command -v mvn >/dev/null; then
		missing 'mvn (Maven), so nothing ran against DynamoDB Local'
		return 3
	fi
	rm -rf "$dynamodb_lib"
	mkdir -p "$dynamodb_lib"
	within 300 mvn -B -q -f .ci/dynamodb-local.pom.xml dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$dynamodb_lib" </dev/null || return 1
	cp .ci/dynamodb-local.pom.xml "$dynamodb_lib/complete"
}

# start_dynamodb starts it on a free port of 127.0.0.1 and exports INSIDEOUT_DYNAMODB_ENDPOINT.
start_dynamodb() {
	local log=$dynamodb_lib/log port=
	: >"$log"
	java -Xmx512m -Djava.library.path="$dynamodb_lib" -cp "$dynamodb_lib/*" .ci/Loopback.java >"$log" 2>&1 </dev/null &
	dynamodb_pid=$!
	for _ in $(seq 600); do
		port=$(sed -n 's/^ready //p' "$log")
		[ -n "$port" ] && break
		kill -0 "$dynamodb_pid" 2>/dev/null || break
		sleep 0.1
	done
	if [ -z "$port" ]; then
		echo 'DynamoDB Local did not start:' >&2
		tail -n 20 "$log" >&2
		return 1
	fi
	export INSIDEOUT_DYNAMODB_ENDPOINT=http://127.0.0.1:$port
	echo "DynamoDB Local answers at $INSIDEOUT_DYNAMODB_ENDPOINT"
}

stop_dynamodb() {
	[ -n "$dynamodb_pid" ] || return 0
	kill "$dynamodb_pid" 2>/dev/null || true
	wait "$dynamodb_pid" 2>/dev/null || true
	dynamodb_pid=
}
