/* The contract's structures have the sizes and offsets of 64-bit Windows, so that a program, a
 * binding or a dump made for one provider can be read with the other. The numbers are those of
 * the public SDK header on x64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/httpapi.h"

#define SIZE(type, bytes)       _Static_assert(sizeof(type) == (bytes), #type)
#define AT(type, member, bytes) _Static_assert(offsetof(type, member) == (bytes), #type "." #member)

/* Base types. */
SIZE(ULONG, 4);
SIZE(DWORD, 4);
SIZE(LONG, 4);
SIZE(USHORT, 2);
SIZE(UCHAR, 1);
SIZE(BOOL, 4);
SIZE(BOOLEAN, 1);
SIZE(ULONGLONG, 8);
SIZE(HANDLE, 8);
SIZE(ULARGE_INTEGER, 8);
SIZE(GUID, 16);
SIZE(SOCKADDR_STORAGE, 128);
SIZE(OVERLAPPED, 32);
AT(OVERLAPPED, InternalHigh, 8);
AT(OVERLAPPED, Offset, 16);
AT(OVERLAPPED, Pointer, 16);
AT(OVERLAPPED, hEvent, 24);

/* Ids, versions, enumerations. */
SIZE(HTTP_OPAQUE_ID, 8);
SIZE(HTTP_URL_CONTEXT, 8);
SIZE(HTTPAPI_VERSION, 4);
SIZE(HTTP_VERSION, 4);
SIZE(HTTP_VERB, 4);
SIZE(HTTP_HEADER_ID, 4);
SIZE(HTTP_SERVER_PROPERTY, 4);
SIZE(HTTP_FEATURE_ID, 4);
SIZE(HTTP_SERVICE_CONFIG_ID, 4);

/* Properties. */
SIZE(HTTP_PROPERTY_FLAGS, 4);
SIZE(HTTP_STATE_INFO, 8);
AT(HTTP_STATE_INFO, State, 4);
SIZE(HTTP_QOS_SETTING_INFO, 16);
AT(HTTP_QOS_SETTING_INFO, QosSetting, 8);
SIZE(HTTP_CONNECTION_LIMIT_INFO, 8);
SIZE(HTTP_BANDWIDTH_LIMIT_INFO, 8);
SIZE(HTTP_FLOWRATE_INFO, 16);
SIZE(HTTP_TIMEOUT_LIMIT_INFO, 20);
AT(HTTP_TIMEOUT_LIMIT_INFO, EntityBody, 4);
AT(HTTP_TIMEOUT_LIMIT_INFO, DrainEntityBody, 6);
AT(HTTP_TIMEOUT_LIMIT_INFO, RequestQueue, 8);
AT(HTTP_TIMEOUT_LIMIT_INFO, IdleConnection, 10);
AT(HTTP_TIMEOUT_LIMIT_INFO, HeaderWait, 12);
AT(HTTP_TIMEOUT_LIMIT_INFO, MinSendRate, 16);
SIZE(HTTP_BINDING_INFO, 16);
AT(HTTP_BINDING_INFO, RequestQueueHandle, 8);
SIZE(HTTP_LISTEN_ENDPOINT_INFO, 8);
SIZE(HTTP_PROTECTION_LEVEL_INFO, 8);
SIZE(HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS, 32);
SIZE(HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS, 16);
SIZE(HTTP_SERVER_AUTHENTICATION_INFO, 64);
AT(HTTP_SERVER_AUTHENTICATION_INFO, AuthSchemes, 4);
AT(HTTP_SERVER_AUTHENTICATION_INFO, ExFlags, 11);
AT(HTTP_SERVER_AUTHENTICATION_INFO, DigestParams, 16);
AT(HTTP_SERVER_AUTHENTICATION_INFO, BasicParams, 48);
SIZE(HTTP_SERVICE_BINDING_A, 24);
SIZE(HTTP_SERVICE_BINDING_W, 24);
SIZE(HTTP_CHANNEL_BIND_INFO, 24);
SIZE(HTTP_REQUEST_CHANNEL_BIND_STATUS, 24);
SIZE(HTTP_LOGGING_INFO, 72);
AT(HTTP_LOGGING_INFO, LoggingFlags, 4);
AT(HTTP_LOGGING_INFO, SoftwareName, 8);
AT(HTTP_LOGGING_INFO, SoftwareNameLength, 16);
AT(HTTP_LOGGING_INFO, DirectoryNameLength, 18);
AT(HTTP_LOGGING_INFO, DirectoryName, 24);
AT(HTTP_LOGGING_INFO, Format, 32);
AT(HTTP_LOGGING_INFO, Fields, 36);
AT(HTTP_LOGGING_INFO, pExtFields, 40);
AT(HTTP_LOGGING_INFO, RolloverType, 52);
AT(HTTP_LOGGING_INFO, RolloverSize, 56);
AT(HTTP_LOGGING_INFO, pSecurityDescriptor, 64);

/* Headers and bodies. */
SIZE(HTTP_KNOWN_HEADER, 16);
AT(HTTP_KNOWN_HEADER, pRawValue, 8);
SIZE(HTTP_UNKNOWN_HEADER, 24);
AT(HTTP_UNKNOWN_HEADER, pName, 8);
AT(HTTP_UNKNOWN_HEADER, pRawValue, 16);
SIZE(HTTP_REQUEST_HEADERS, 32 + 41 * 16);
AT(HTTP_REQUEST_HEADERS, pUnknownHeaders, 8);
AT(HTTP_REQUEST_HEADERS, TrailerCount, 16);
AT(HTTP_REQUEST_HEADERS, pTrailers, 24);
AT(HTTP_REQUEST_HEADERS, KnownHeaders, 32);
SIZE(HTTP_RESPONSE_HEADERS, 32 + 30 * 16);
SIZE(HTTP_BYTE_RANGE, 16);
SIZE(HTTP_DATA_CHUNK, 32);
AT(HTTP_DATA_CHUNK, FromMemory.pBuffer, 8);
AT(HTTP_DATA_CHUNK, FromMemory.BufferLength, 16);
AT(HTTP_DATA_CHUNK, FromFileHandle.ByteRange, 8);
AT(HTTP_DATA_CHUNK, FromFileHandle.FileHandle, 24);
AT(HTTP_DATA_CHUNK, FromFragmentCache.FragmentNameLength, 8);
AT(HTTP_DATA_CHUNK, FromFragmentCache.pFragmentName, 16);
AT(HTTP_DATA_CHUNK, FromFragmentCacheEx.pFragmentName, 24);
AT(HTTP_DATA_CHUNK, Trailers.TrailerCount, 8);
AT(HTTP_DATA_CHUNK, Trailers.pTrailers, 16);

/* Requests. */
SIZE(HTTP_COOKED_URL, 40);
AT(HTTP_COOKED_URL, HostLength, 2);
AT(HTTP_COOKED_URL, AbsPathLength, 4);
AT(HTTP_COOKED_URL, QueryStringLength, 6);
AT(HTTP_COOKED_URL, pFullUrl, 8);
AT(HTTP_COOKED_URL, pHost, 16);
AT(HTTP_COOKED_URL, pAbsPath, 24);
AT(HTTP_COOKED_URL, pQueryString, 32);
SIZE(HTTP_TRANSPORT_ADDRESS, 16);
SIZE(HTTP_SSL_CLIENT_CERT_INFO, 32);
SIZE(HTTP_SSL_INFO, 48);
SIZE(HTTP_SSL_PROTOCOL_INFO, 28);
SIZE(HTTP_REQUEST_INFO, 16);
SIZE(HTTP_REQUEST_AUTH_INFO, 80);
AT(HTTP_REQUEST_AUTH_INFO, AccessToken, 16);
AT(HTTP_REQUEST_AUTH_INFO, PackedContext, 40);
AT(HTTP_REQUEST_AUTH_INFO, pPackageName, 72);
SIZE(HTTP_REQUEST_TIMING_INFO, 8 + 30 * 8);
SIZE(HTTP_REQUEST_SIZING_INFO, 16 + 5 * 8);
SIZE(HTTP_REQUEST_TOKEN_BINDING_INFO, 32);
SIZE(HTTP_REQUEST_V1, 848);
SIZE(HTTP_REQUEST_V2, 864);
SIZE(HTTP_REQUEST, 864);

/* Both versions of a structure, member by member at one place. */
#define REQUEST_AT(member, bytes)                                                                  \
    AT(HTTP_REQUEST_V1, member, bytes);                                                            \
    AT(HTTP_REQUEST_V2, member, bytes)
REQUEST_AT(Flags, 0);
REQUEST_AT(ConnectionId, 8);
REQUEST_AT(RequestId, 16);
REQUEST_AT(UrlContext, 24);
REQUEST_AT(Version, 32);
REQUEST_AT(Verb, 36);
REQUEST_AT(UnknownVerbLength, 40);
REQUEST_AT(RawUrlLength, 42);
REQUEST_AT(pUnknownVerb, 48);
REQUEST_AT(pRawUrl, 56);
REQUEST_AT(CookedUrl, 64);
REQUEST_AT(Address, 104);
REQUEST_AT(Headers, 120);
REQUEST_AT(BytesReceived, 808);
REQUEST_AT(EntityChunkCount, 816);
REQUEST_AT(pEntityChunks, 824);
REQUEST_AT(RawConnectionId, 832);
REQUEST_AT(pSslInfo, 840);
AT(HTTP_REQUEST_V2, RequestInfoCount, 848);
AT(HTTP_REQUEST_V2, pRequestInfo, 856);

/* Responses. */
SIZE(HTTP_RESPONSE_INFO, 16);
SIZE(HTTP_MULTIPLE_KNOWN_HEADERS, 24);
AT(HTTP_MULTIPLE_KNOWN_HEADERS, KnownHeaderCount, 8);
AT(HTTP_MULTIPLE_KNOWN_HEADERS, KnownHeaders, 16);
SIZE(HTTP_RESPONSE_V1, 552);
SIZE(HTTP_RESPONSE_V2, 568);
SIZE(HTTP_RESPONSE, 568);
#define RESPONSE_AT(member, bytes)                                                                 \
    AT(HTTP_RESPONSE_V1, member, bytes);                                                           \
    AT(HTTP_RESPONSE_V2, member, bytes)
RESPONSE_AT(Flags, 0);
RESPONSE_AT(Version, 4);
RESPONSE_AT(StatusCode, 8);
RESPONSE_AT(ReasonLength, 10);
RESPONSE_AT(pReason, 16);
RESPONSE_AT(Headers, 24);
RESPONSE_AT(EntityChunkCount, 536);
RESPONSE_AT(pEntityChunks, 544);
AT(HTTP_RESPONSE_V2, ResponseInfoCount, 552);
AT(HTTP_RESPONSE_V2, pResponseInfo, 560);
SIZE(HTTP_CACHE_POLICY, 8);

/* Log data: the packaged mingw-w64 header lacks ServiceNameLength and is off from there on. */
SIZE(HTTP_LOG_DATA, 4);
SIZE(HTTP_LOG_FIELDS_DATA, 144);
AT(HTTP_LOG_FIELDS_DATA, UserNameLength, 4);
AT(HTTP_LOG_FIELDS_DATA, UriStemLength, 6);
AT(HTTP_LOG_FIELDS_DATA, ClientIpLength, 8);
AT(HTTP_LOG_FIELDS_DATA, ServerNameLength, 10);
AT(HTTP_LOG_FIELDS_DATA, ServiceNameLength, 12);
AT(HTTP_LOG_FIELDS_DATA, ServerIpLength, 14);
AT(HTTP_LOG_FIELDS_DATA, MethodLength, 16);
AT(HTTP_LOG_FIELDS_DATA, UriQueryLength, 18);
AT(HTTP_LOG_FIELDS_DATA, HostLength, 20);
AT(HTTP_LOG_FIELDS_DATA, UserAgentLength, 22);
AT(HTTP_LOG_FIELDS_DATA, CookieLength, 24);
AT(HTTP_LOG_FIELDS_DATA, ReferrerLength, 26);
AT(HTTP_LOG_FIELDS_DATA, UserName, 32);
AT(HTTP_LOG_FIELDS_DATA, UriStem, 40);
AT(HTTP_LOG_FIELDS_DATA, ClientIp, 48);
AT(HTTP_LOG_FIELDS_DATA, ServiceName, 64);
AT(HTTP_LOG_FIELDS_DATA, ServerIp, 72);
AT(HTTP_LOG_FIELDS_DATA, Referrer, 120);
AT(HTTP_LOG_FIELDS_DATA, ServerPort, 128);
AT(HTTP_LOG_FIELDS_DATA, ProtocolStatus, 130);
AT(HTTP_LOG_FIELDS_DATA, Win32Status, 132);
AT(HTTP_LOG_FIELDS_DATA, MethodNum, 136);
AT(HTTP_LOG_FIELDS_DATA, SubStatus, 140);

/* Service configuration. */
SIZE(HTTP_SERVICE_CONFIG_IP_LISTEN_PARAM, 16);
SIZE(HTTP_SERVICE_CONFIG_IP_LISTEN_QUERY, 136);
AT(HTTP_SERVICE_CONFIG_IP_LISTEN_QUERY, AddrList, 8);
SIZE(HTTP_SERVICE_CONFIG_SSL_PARAM, 80);
AT(HTTP_SERVICE_CONFIG_SSL_PARAM, AppId, 16);
AT(HTTP_SERVICE_CONFIG_SSL_PARAM, pSslCertStoreName, 32);
AT(HTTP_SERVICE_CONFIG_SSL_PARAM, DefaultCertCheckMode, 40);
AT(HTTP_SERVICE_CONFIG_SSL_PARAM, pDefaultSslCtlIdentifier, 56);
AT(HTTP_SERVICE_CONFIG_SSL_PARAM, DefaultFlags, 72);
SIZE(HTTP_SERVICE_CONFIG_SSL_SET, 88);
SIZE(HTTP_SERVICE_CONFIG_SSL_QUERY, 24);
SIZE(HTTP_SERVICE_CONFIG_SSL_SNI_KEY, 136);
SIZE(HTTP_SERVICE_CONFIG_SSL_SNI_SET, 216);
SIZE(HTTP_SERVICE_CONFIG_SSL_CCS_SET, 208);
SIZE(HTTP_SERVICE_CONFIG_SSL_PARAM_EX, 32);
SIZE(HTTP_SERVICE_CONFIG_URLACL_SET, 16);
SIZE(HTTP_SERVICE_CONFIG_URLACL_QUERY, 24);
SIZE(HTTP_SERVICE_CONFIG_TIMEOUT_SET, 8);
SIZE(HTTP_SERVICE_CONFIG_CACHE_SET, 8);
SIZE(HTTP_SERVICE_CONFIG_SETTING_SET, 8);

/* Numbers that programs have compiled in. */
_Static_assert(HttpHeaderRequestMaximum == 41 && HttpHeaderResponseMaximum == 30, "header ids");
_Static_assert(HttpHeaderUserAgent == 40 && HttpHeaderWwwAuthenticate == 29, "last header ids");
_Static_assert(HttpVerbSEARCH == 19 && HttpVerbMaximum == 20, "verbs");
_Static_assert(HttpServerProtectionLevelProperty == 11, "properties");
_Static_assert(HttpRequestTimingTypeMax == 30, "timings");
_Static_assert(HttpFeatureTlsHandshakePerformanceCounters == 17, "features");

static void httpapi_property_flag_is_the_lowest_bit(void **state)
{
    (void)state;
    HTTP_STATE_INFO info;
    memset(&info, 0, sizeof info);
    info.Flags.Present = 1;
    ULONG word = 0;
    memcpy(&word, &info, sizeof word);
    assert_int_equal(word, 1);
}

static void httpapi_versions_compare_by_major_first(void **state)
{
    (void)state;
    const HTTP_VERSION version = HTTP_VERSION_1_1;
    assert_true(HTTP_GREATER_VERSION(version, 1, 0));
    assert_true(HTTP_GREATER_VERSION(version, 0, 9));
    assert_false(HTTP_GREATER_VERSION(version, 1, 1));
    assert_true(HTTP_LESS_VERSION(version, 2, 0));
    assert_true(HTTP_GREATER_EQUAL_VERSION(version, 1, 1));
    assert_true(HTTP_LESS_EQUAL_VERSION(version, 1, 1));
    assert_false(HTTP_LESS_EQUAL_VERSION(version, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpapi_property_flag_is_the_lowest_bit),
        cmocka_unit_test(httpapi_versions_compare_by_major_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
