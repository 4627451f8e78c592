// A backend on grpc-js: prints {"port": N} and then every span as one line of JSON, until SIGTERM.
'use strict';
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(path.join(__dirname, 'otlp.proto'), { longs: String, enums: Number, keepCase: false });
const service = grpc.loadPackageDefinition(definition).opentelemetry.proto.collector.trace.v1.TraceService.service;

function value(any) {
  if (!any) return null;
  if (any.arrayValue) return any.arrayValue.values.map(value);
  if (any.intValue !== undefined) return Number(any.intValue);
  for (const kind of ['stringValue', 'boolValue', 'doubleValue']) {
    if (any[kind] !== undefined) return any[kind];
  }
  return null;
}

const attributes = (pairs) => Object.fromEntries((pairs || []).map((pair) => [pair.key, value(pair.value)]));

function* spansOf(request) {
  for (const resource of request.resourceSpans || []) {
    for (const scope of resource.scopeSpans || []) {
      for (const span of scope.spans || []) {
        yield {
          traceId: span.traceId.toString('hex'),
          spanId: span.spanId.toString('hex'),
          name: span.name,
          attributes: attributes(span.attributes),
          resource: attributes(resource.resource && resource.resource.attributes),
        };
      }
    }
  }
}

const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
server.addService(service, {
  Export(call, done) {
    for (const span of spansOf(call.request)) process.stdout.write(`${JSON.stringify(span)}\n`);
    done(null, {});
  },
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
// No process.exit(): what is still in the pipe has to get out.
process.once('SIGTERM', () => server.tryShutdown(() => {}));
