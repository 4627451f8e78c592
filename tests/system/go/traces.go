package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

func traceExporter(ctx context.Context, to target) (*otlptrace.Exporter, error) {
	if to.protocol == "grpc" {
		options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(to.address), otlptracegrpc.WithInsecure(),
			otlptracegrpc.WithDialOption(grpc.WithUnaryInterceptor(to.witness.unary))}
		if to.gzip() {
			options = append(options, otlptracegrpc.WithCompressor("gzip"))
		}
		return otlptracegrpc.New(ctx, options...)
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpoint(to.address), otlptracehttp.WithInsecure(),
		otlptracehttp.WithHTTPClient(to.witness.client())}
	if to.gzip() {
		options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	return otlptracehttp.New(ctx, options...)
}

// sendTraces sends two spans for each of count traces.
func sendTraces(ctx context.Context, to target, count int) error {
	exporter, err := traceExporter(ctx, to)
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(shop()),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxExportBatchSize(batchSize),
			sdktrace.WithMaxQueueSize(queueSize), sdktrace.WithBatchTimeout(never)))
	tracer := provider.Tracer(scopeName, trace.WithInstrumentationVersion(scopeVersion))
	before := trace.SpanContext{}
	for i := range count {
		before = oneTrace(ctx, tracer, before, i)
	}
	return errors.Join(provider.ForceFlush(ctx), provider.Shutdown(ctx))
}

// oneTrace makes a root, linked to the trace before it, and a span below it with an event.
func oneTrace(ctx context.Context, tracer trace.Tracer, before trace.SpanContext, i int) trace.SpanContext {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.route", fmt.Sprintf("/items/%d", i)), attribute.Int("number", i),
		attribute.Int64("huge", 1<<62+int64(i)), attribute.Float64("ratio", float64(i)+0.5),
		attribute.Bool("flag", i%2 == 0), attribute.StringSlice("list", []string{"ä", "日本", ""}),
		attribute.Int64Slice("numbers", []int64{-1, 0, 1 << 53}), attribute.String("empty", ""))}
	if before.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: before,
			Attributes: []attribute.KeyValue{attribute.String("why", "came before")}}))
	}
	ctx, root := tracer.Start(ctx, "GET /items", options...)
	_, inner := tracer.Start(ctx, "query", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.statement", "SELECT "+strings.Repeat("x", 7*i))))
	inner.AddEvent("retry", trace.WithAttributes(attribute.Int("attempt", 1)))
	inner.End()
	if i%5 == 0 {
		root.SetStatus(codes.Error, "broken")
	}
	root.End()
	return root.SpanContext()
}
