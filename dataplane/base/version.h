/* The version of spanweir, as the root meson.build has it. */
#ifndef SW_BASE_VERSION_H
#define SW_BASE_VERSION_H

#define SW_VERSION "0.1.0"

#endif
