# DynamoDB Local for the suites that want a real endpoint. Sourced by .ci/run, not run.

dynamodb_lib=$PWD/.ci/cache/dynamodb-local

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

# start_dynamodb starts it and exports INSIDEOUT_DYNAMODB_ENDPOINT.
start_dynamodb() {
	start_server 'DynamoDB Local' INSIDEOUT_DYNAMODB_ENDPOINT "$dynamodb_lib/log" 's/^ready //p' \
		java -Xmx512m -Djava.library.path="$dynamodb_lib" -cp "$dynamodb_lib/*" .ci/Loopback.java
}
