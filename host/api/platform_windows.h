/* The Windows side of httpapi.h: the system's own base types, and text as UTF-16.
 *
 * Included by httpapi.h only. <http.h> is kept out on purpose: the contract is declared once, by
 * httpapi.h, for both platforms. Everything that platform_posix.h declares by hand comes from the
 * system headers here. */
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

/* Words of 16-bit days that windef.h defines as nothing. */
#undef near
#undef far

/* One unit of the contract's text: a UTF-16 code unit. Its literal form is HTTP_TEXT("..."). */
typedef WCHAR HTTP_CHAR;
#define HTTP_TEXT(literal) L##literal

/* Limits and codes of the documentation that these headers may lack. */
#ifndef MAXUSHORT
#define MAXUSHORT 0xFFFFu
#endif
#ifndef MAXULONG
#define MAXULONG 0xFFFFFFFFu
#endif

/* SCHANNEL status numbers, declared here so that no security header is needed. */
typedef LONG SECURITY_STATUS;
