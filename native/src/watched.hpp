// ONEFOLD_WATCHED: built with AddressSanitizer. It knows of no guards around mapped pages, so that what is mapped otherwise is
// then on the heap, where it has them.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define ONEFOLD_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONEFOLD_WATCHED 1
#endif
#endif
