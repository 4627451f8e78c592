package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// witness stands between an exporter and the network and remembers each request that was taken. An
// attempt that fails is an error of the whole run, also when the SDK would try again.
type witness struct {
	compression string
	lock        sync.Mutex
	taken       [][]byte
	failures    []error
}

func (w *witness) take(request []byte) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.taken = append(w.taken, request)
}

func (w *witness) fail(err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.failures = append(w.failures, err)
}

func (w *witness) report(out io.Writer) error {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, request := range w.taken {
		if _, err := fmt.Fprintln(out, base64.StdEncoding.EncodeToString(request)); err != nil {
			return err
		}
	}
	return errors.Join(w.failures...)
}

// unary is a gRPC interceptor.
func (w *witness) unary(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if w.compression == "gzip" && !slices.ContainsFunc(options, isGzip) {
		w.fail(fmt.Errorf("%s: not compressed", method))
	}
	if err := invoke(ctx, method, request, reply, conn, options...); err != nil {
		w.fail(fmt.Errorf("%s: %w", method, err))
		return err
	}
	message, err := proto.Marshal(request.(proto.Message))
	if err != nil {
		return err
	}
	w.take(message)
	return nil
}

func isGzip(option grpc.CallOption) bool {
	compressor, is := option.(grpc.CompressorCallOption)
	return is && compressor.CompressorType == "gzip"
}

// client is for the HTTP exporters.
func (w *witness) client() *http.Client {
	return &http.Client{Transport: w, Timeout: patience}
}

// RoundTrip sends the bytes of a request as they are, in the framing that the exporter chose.
func (w *witness) RoundTrip(request *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if err := request.Body.Close(); err != nil {
		return nil, err
	}
	message, err := w.open(request.Header.Get("Content-Encoding"), raw)
	if err != nil {
		return nil, err
	}
	sent := request.Clone(request.Context())
	sent.Body = io.NopCloser(bytes.NewReader(raw))
	response, err := http.DefaultTransport.RoundTrip(sent)
	if err != nil {
		w.fail(err)
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		w.fail(fmt.Errorf("%s: %s", request.URL, response.Status))
		return response, nil
	}
	w.take(message)
	return response, nil
}

// open is the message in a body; how it is packed has to be what was asked for.
func (w *witness) open(coding string, raw []byte) ([]byte, error) {
	if (coding == "gzip") != (w.compression == "gzip") {
		return nil, fmt.Errorf("content encoding %q where %q was asked for", coding, w.compression)
	}
	if coding != "gzip" {
		return raw, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
