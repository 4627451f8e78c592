// Sends traces with the OpenTelemetry JS SDK and prints what it sent, one span a line.
//   node send.js grpc|http none|gzip HOST:PORT TRACES
'use strict';
const { SpanKind, SpanStatusCode, ROOT_CONTEXT, trace } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { TracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace');

const [protocol, compression, address, traces] = process.argv.slice(2);
const { OTLPTraceExporter } = require(protocol === 'grpc' ? '@opentelemetry/exporter-trace-otlp-grpc'
  : '@opentelemetry/exporter-trace-otlp-proto');

const exporter = new OTLPTraceExporter({
  url: protocol === 'grpc' ? `http://${address}` : `http://${address}/v1/traces`,
  compression,
});
// What an exporter fails at is only logged by the SDK; here it counts.
let failures = 0;
const counting = {
  export: (spans, done) => exporter.export(spans, (result) => {
    if (result.code !== 0) {
      failures += 1;
      console.error('export failed', result.error);
    }
    done(result);
  }),
  shutdown: () => exporter.shutdown(),
  forceFlush: () => (exporter.forceFlush ? exporter.forceFlush() : Promise.resolve()),
};

const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'js-shop', 'service.version': '1.2.3' }),
  spanProcessors: [new BatchSpanProcessor({ exporter: counting, maxExportBatchSize: 64, maxQueueSize: 100000 })],
});
const tracer = provider.getTracer('js-system-test', '0.1');

function record(span, name, attributes) {
  const { traceId, spanId } = span.spanContext();
  process.stdout.write(`${JSON.stringify({ traceId, spanId, name, attributes })}\n`);
}

for (let i = 0; i < Number(traces); i += 1) {
  const root = { 'http.route': `/items/${i}`, number: i, ratio: i + 0.5, flag: i % 2 === 0, list: ['ä', '日本', ''] };
  const server = tracer.startSpan('GET /items', { kind: SpanKind.SERVER, attributes: root }, ROOT_CONTEXT);
  record(server, 'GET /items', root);
  const inner = { 'db.statement': `SELECT ${'x'.repeat(i * 7)}` };
  const client = tracer.startSpan('query', { kind: SpanKind.CLIENT, attributes: inner }, trace.setSpan(ROOT_CONTEXT, server));
  record(client, 'query', inner);
  client.addEvent('retry', { attempt: 1 });
  client.end();
  if (i % 5 === 0) server.setStatus({ code: SpanStatusCode.ERROR, message: 'broken' });
  server.end();
}

// No process.exit(): what is still in the pipe has to get out.
provider.forceFlush().then(() => provider.shutdown()).then(() => { process.exitCode = failures ? 1 : 0; });
