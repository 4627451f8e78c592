// Sends one signal with the OpenTelemetry Go SDK and prints what was sent: every export request that
// the other side took as one line of base64 with its protobuf bytes.
//
//	signals traces|metrics|logs grpc|http none|gzip HOST:PORT COUNT
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

const (
	scopeName    = "go-system-test"
	scopeVersion = "0.1"
	batchSize    = 64
	queueSize    = 100000
	// Nothing is sent by the clock.
	never    = time.Hour
	patience = 30 * time.Second
)

// target is where and how to send.
type target struct {
	protocol, compression, address string
	witness                        *witness
}

func (t target) gzip() bool { return t.compression == "gzip" }

func shop() *resource.Resource {
	return resource.NewSchemaless(attribute.String("service.name", "go-shop"),
		attribute.String("service.version", "1.2.3"))
}

var senders = map[string]func(context.Context, target, int) error{
	"traces": sendTraces, "metrics": sendMetrics, "logs": sendLogs,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "signals:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 5 {
		return fmt.Errorf("usage: signals traces|metrics|logs grpc|http none|gzip HOST:PORT COUNT")
	}
	send, known := senders[arguments[0]]
	count, err := strconv.Atoi(arguments[4])
	if !known || err != nil {
		return fmt.Errorf("not a signal and a count: %q, %q", arguments[0], arguments[4])
	}
	to := target{protocol: arguments[1], compression: arguments[2], address: arguments[3],
		witness: &witness{compression: arguments[2]}}
	// The SDK only reports what fails in the background; here it counts.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(to.witness.fail))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := send(ctx, to, count); err != nil {
		return err
	}
	return to.witness.report(os.Stdout)
}
