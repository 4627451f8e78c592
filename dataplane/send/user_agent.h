/* Who we say we are, in the Collector's form: <name>/<version> (<os>/<architecture>). */
#ifndef SW_SEND_USER_AGENT_H
#define SW_SEND_USER_AGENT_H

#include "dataplane/base/version.h"

#if defined(__x86_64__)
#define SW_SEND_ARCH "amd64"
#elif defined(__aarch64__)
#define SW_SEND_ARCH "arm64"
#else
#define SW_SEND_ARCH "unknown"
#endif

#define SW_SEND_USER_AGENT "spanweir/" SW_VERSION " (linux/" SW_SEND_ARCH ")"

/** What grpc-go puts behind whatever is configured; we follow that version. */
#define SW_SEND_GRPC_TOKEN " grpc-go/1.83.0"

#endif
