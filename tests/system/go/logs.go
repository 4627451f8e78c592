package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
)

func logExporter(ctx context.Context, to target) (sdklog.Exporter, error) {
	if to.protocol == "grpc" {
		options := []otlploggrpc.Option{otlploggrpc.WithEndpoint(to.address), otlploggrpc.WithInsecure(),
			otlploggrpc.WithDialOption(grpc.WithUnaryInterceptor(to.witness.unary))}
		if to.gzip() {
			options = append(options, otlploggrpc.WithCompressor("gzip"))
		}
		return otlploggrpc.New(ctx, options...)
	}
	options := []otlploghttp.Option{otlploghttp.WithEndpoint(to.address), otlploghttp.WithInsecure(),
		otlploghttp.WithHTTPClient(to.witness.client())}
	if to.gzip() {
		options = append(options, otlploghttp.WithCompression(otlploghttp.GzipCompression))
	}
	return otlploghttp.New(ctx, options...)
}

// sendLogs sends count records, every second one inside a span.
func sendLogs(ctx context.Context, to target, count int) error {
	exporter, err := logExporter(ctx, to)
	if err != nil {
		return err
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(shop()),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, sdklog.WithExportMaxBatchSize(batchSize),
			sdklog.WithMaxQueueSize(queueSize), sdklog.WithExportInterval(never))))
	logger := provider.Logger(scopeName, log.WithInstrumentationVersion(scopeVersion))
	inside, span := sdktrace.NewTracerProvider().Tracer("spans").Start(ctx, "around")
	defer span.End()
	for i := range count {
		where := ctx
		if i%2 == 1 {
			where = inside
		}
		logger.Emit(where, logRecord(i))
	}
	return errors.Join(provider.ForceFlush(ctx), provider.Shutdown(ctx))
}

func logRecord(i int) log.Record {
	var record log.Record
	record.SetTimestamp(time.Unix(1_760_000_000, int64(i)))
	record.SetObservedTimestamp(time.Unix(1_760_000_001, int64(i)))
	record.SetSeverity(log.SeverityInfo)
	record.SetSeverityText("INFO")
	if i%2 == 0 {
		record.SetSeverity(log.SeverityError)
		record.SetSeverityText("ERROR")
	}
	record.SetBody(attribute.StringValue(fmt.Sprintf("line %d – ä 日本 %s", i, strings.Repeat("x", 7*i))))
	if i%3 == 0 {
		record.SetBody(attribute.MapValue(attribute.String("text", "structured"), attribute.Int("number", i),
			attribute.KeyValue{Key: "list", Value: attribute.SliceValue(attribute.Int64Value(1<<62),
				attribute.StringValue("two"), attribute.BoolValue(true), attribute.Value{})}))
	}
	if i%4 == 0 {
		record.SetEventName("shop.event")
	}
	record.AddAttributes(attribute.Int("number", i), attribute.Float64("ratio", float64(i)+0.5),
		attribute.KeyValue{Key: "bytes", Value: attribute.ByteSliceValue([]byte{0, 255})},
		attribute.KeyValue{Key: "nested", Value: attribute.MapValue(attribute.StringSlice("deep", []string{"a", "b"}))})
	return record
}
