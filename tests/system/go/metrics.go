package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
)

func metricExporter(ctx context.Context, to target) (sdkmetric.Exporter, error) {
	if to.protocol == "grpc" {
		options := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(to.address), otlpmetricgrpc.WithInsecure(),
			otlpmetricgrpc.WithDialOption(grpc.WithUnaryInterceptor(to.witness.unary))}
		if to.gzip() {
			options = append(options, otlpmetricgrpc.WithCompressor("gzip"))
		}
		return otlpmetricgrpc.New(ctx, options...)
	}
	options := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpoint(to.address), otlpmetrichttp.WithInsecure(),
		otlpmetrichttp.WithHTTPClient(to.witness.client())}
	if to.gzip() {
		options = append(options, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	}
	return otlpmetrichttp.New(ctx, options...)
}

// sendMetrics sends five kinds of metrics with count data points each.
func sendMetrics(ctx context.Context, to target, count int) error {
	exporter, err := metricExporter(ctx, to)
	if err != nil {
		return err
	}
	// The one export is that of the shutdown.
	reader := sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(never))
	sizes := sdkmetric.NewView(sdkmetric.Instrument{Name: "sizes"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(shop()), sdkmetric.WithReader(reader),
		sdkmetric.WithView(sizes))
	meter := provider.Meter(scopeName, metric.WithInstrumentationVersion(scopeVersion))
	err = record(ctx, meter, count)
	return errors.Join(err, provider.Shutdown(ctx))
}

func record(ctx context.Context, meter metric.Meter, count int) error {
	orders, e1 := meter.Int64Counter("orders", metric.WithUnit("{order}"), metric.WithDescription("Bestellungen – ä"))
	open, e2 := meter.Float64UpDownCounter("open")
	latency, e3 := meter.Int64Histogram("latency", metric.WithUnit("ms"))
	sizes, e4 := meter.Float64Histogram("sizes", metric.WithUnit("By"))
	_, e5 := meter.Float64ObservableGauge("temperature", metric.WithFloat64Callback(
		func(_ context.Context, observer metric.Float64Observer) error {
			for i := range count {
				observer.Observe(float64(i)-0.25, metric.WithAttributes(attribute.String("room", fmt.Sprintf("r%d", i))))
			}
			return nil
		}))
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		return err
	}
	// Inside a sampled span, so that there are exemplars.
	inside, span := sdktrace.NewTracerProvider().Tracer("spans").Start(ctx, "around")
	defer span.End()
	for i := range count {
		with := metric.WithAttributes(attribute.String("route", fmt.Sprintf("/items/%d", i)),
			attribute.Bool("flag", i%2 == 0), attribute.StringSlice("list", []string{"ä", "日本", ""}),
			attribute.Int64("huge", 1<<62+int64(i)))
		orders.Add(ctx, 1<<53+int64(i), with)
		if i%2 == 0 {
			open.Add(ctx, float64(i)+0.5, with)
		} else {
			open.Add(ctx, -float64(i), with)
		}
		for k := range 5 {
			latency.Record(inside, int64(i*3+k), with)
		}
		sizes.Record(ctx, math.Ldexp(1, i%40), with)
	}
	return nil
}
