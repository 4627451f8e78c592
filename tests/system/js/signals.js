// Sends metrics or logs with the OpenTelemetry JS SDK and prints what it sent: every export request
// as one line of OTLP/JSON.
//   node signals.js metrics|logs grpc|http none|gzip HOST:PORT COUNT
'use strict';
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { JsonLogsSerializer, JsonMetricsSerializer } = require('@opentelemetry/otlp-transformer');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { MeterProvider, PeriodicExportingMetricReader, AggregationType } = require('@opentelemetry/sdk-metrics');

const [signal, protocol, compression, address, count] = process.argv.slice(2);
const kind = protocol === 'grpc' ? 'grpc' : 'proto';
const modules = require(`@opentelemetry/exporter-${signal}-otlp-${kind}`);
const exporter = new (signal === 'metrics' ? modules.OTLPMetricExporter : modules.OTLPLogExporter)({
  url: protocol === 'grpc' ? `http://${address}` : `http://${address}/v1/${signal}`,
  compression,
});
const serializer = signal === 'metrics' ? JsonMetricsSerializer : JsonLogsSerializer;

// What an exporter fails at is only logged by the SDK; here it counts.
let failures = 0;
const original = exporter.export.bind(exporter);
exporter.export = (items, done) => original(items, (result) => {
  if (result.code === 0) {
    process.stdout.write(`${Buffer.from(serializer.serializeRequest(items)).toString()}\n`);
  } else {
    failures += 1;
    console.error('export failed', result.error);
  }
  done(result);
});

const resource = resourceFromAttributes({ 'service.name': 'js-shop', 'service.version': '1.2.3' });

function metrics() {
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000, exportTimeoutMillis: 30000 });
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [{ instrumentName: 'sizes', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
  });
  const meter = provider.getMeter('js-system-test', '0.1');
  const orders = meter.createCounter('orders', { unit: '{order}', description: 'Bestellungen – ä' });
  const open = meter.createUpDownCounter('open');
  const latency = meter.createHistogram('latency', { unit: 'ms' });
  const sizes = meter.createHistogram('sizes', { unit: 'By' });
  meter.createObservableGauge('temperature').addCallback((result) => {
    for (let i = 0; i < Number(count); i += 1) result.observe(i - 0.25, { room: `r${i}` });
  });
  for (let i = 0; i < Number(count); i += 1) {
    const attributes = { route: `/items/${i}`, flag: i % 2 === 0, list: ['ä', '日本', ''] };
    orders.add(i + 1, attributes);
    open.add(i % 2 ? -i : i + 0.5, attributes);
    for (let k = 0; k < 5; k += 1) latency.record(i * 3 + k, attributes);
    sizes.record(2 ** (i % 40), attributes);
  }
  return provider;
}

function logs() {
  const provider = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter, maxExportBatchSize: 64, maxQueueSize: 100000 })],
  });
  const logger = provider.getLogger('js-system-test', '0.1');
  for (let i = 0; i < Number(count); i += 1) {
    logger.emit({
      severityNumber: i % 2 ? SeverityNumber.INFO : SeverityNumber.ERROR,
      severityText: i % 2 ? 'INFO' : 'ERROR',
      body: i % 3 ? `line ${i} – ä 日本 ${'x'.repeat(7 * i)}` : { text: 'structured', number: i, list: [1, 'two', true, null] },
      attributes: { number: i, ratio: i + 0.5, nested: { deep: ['a', 1] } },
      eventName: i % 4 ? undefined : 'shop.event',
    });
  }
  return provider;
}

// The shutdown sends what there is, metrics once. No process.exit(): what is still in the pipe has to get out.
const provider = signal === 'metrics' ? metrics() : logs();
provider.shutdown().then(() => { process.exitCode = failures ? 1 : 0; });
