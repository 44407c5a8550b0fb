/* Functions of capabilities that a provider may not have (yet): each says so with a code, and none
 * of them does anything else, least of all announce a completion. */
#include <string.h>

#include "contract/contract.h"

#define ELSEWHERE_OTHER "there they work, or end the process"

enum { SERVER = HTTP_INITIALIZE_SERVER, CONFIG = HTTP_INITIALIZE_CONFIG };

static void requests_and_caches(void)
{
    struct server server;
    char buffer[64];
    ULONG count = 0;
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    PWSTR prepared = NULL;
    HTTP_DATA_CHUNK chunk;
    HTTP_CACHE_POLICY policy = {HttpCachePolicyUserInvalidates, 0};
    USHORT seconds = 5;
    memset(buffer, 0, sizeof buffer);
    make_memory_chunk(&chunk, "x", 1);
    server_start(&server);
    const HANDLE queue = server.queue;
    const struct url url = url_of("http://localhost:%u/f", (unsigned)server.port);
    CHECK_FAILS(HttpWaitForDemandStart(queue, NULL));
    CHECK_FAILS(HttpWaitForDisconnectEx(queue, 0xDEADDEAD, 0, NULL));
    CHECK_FAILS(HttpSetRequestProperty(queue, 0xDEADDEAD,
                                       HttpRequestPropertyTransportIdleConnectionTimeout, &seconds,
                                       sizeof seconds, NULL));
    CHECK_FAILS(HttpQueryRequestProperty(queue, 0xDEADDEAD, HttpRequestPropertySni, NULL, 0, buffer,
                                         sizeof buffer, &count, NULL));
    CHECK_FAILS(HttpDelegateRequestEx(queue, queue, 0xDEADDEAD, server.group, 0, NULL));
    CHECK_FAILS(HttpDeclarePush(queue, 0xDEADDEAD, HttpVerbGET, HTTP_TEXT("/"), "", NULL));
    CHECK_FAILS(HttpReceiveClientCertificate(queue, 0xDEADDEAD, 0,
                                             (PHTTP_SSL_CLIENT_CERT_INFO)(void *)buffer,
                                             sizeof buffer, &count, NULL));
    CHECK_FAILS(HttpFindUrlGroupId(HTTP_TEXT("http://nobody.test:9/"), queue, &group));
    CHECK_FAILS(HttpFlushResponseCache(NULL, url.text, 0, NULL));
    CHECK_FAILS(HttpAddFragmentToCache(NULL, url.text, &chunk, &policy, NULL));
    CHECK_FAILS(
        HttpReadFragmentFromCache(queue, url.text, NULL, buffer, sizeof buffer, &count, NULL));
    CHECK_FAILS(HttpPrepareUrl(NULL, 0, NULL, &prepared));
    server_close(&server);
}

static void service_configuration(void)
{
    HTTP_SERVICE_CONFIG_URLACL_QUERY query;
    char buffer[64];
    ULONG count = 0;
    memset(&query, 0, sizeof query);
    query.QueryDesc = HttpServiceConfigQueryNext;
    query.dwToken = 1000;
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_2, CONFIG, NULL));
    CHECK_FAILS(HttpQueryServiceConfiguration(NULL, HttpServiceConfigUrlAclInfo, &query,
                                              sizeof query, buffer, sizeof buffer, &count, NULL));
    CHECK_FAILS(HttpSetServiceConfiguration(NULL, HttpServiceConfigUrlAclInfo, NULL, 0, NULL));
    CHECK_FAILS(HttpDeleteServiceConfiguration(NULL, HttpServiceConfigUrlAclInfo, NULL, 0, NULL));
    CHECK_FAILS(HttpUpdateServiceConfiguration(NULL, HttpServiceConfigSSLCertInfo, NULL, 0, NULL));
    CHECK_CODE(NO_ERROR, HttpTerminate(CONFIG, NULL));
}

static void service_configuration_needs_its_flag(void)
{
    char buffer[64];
    ULONG count = 0;
    const ULONG none = ERROR_DLL_INIT_FAILED;
    for (int round = 0; round < 2; round++) { /* without anything, and with the other flag */
        CHECK_CODE(none, HttpQueryServiceConfiguration(NULL, HttpServiceConfigIPListenList, NULL, 0,
                                                       buffer, sizeof buffer, &count, NULL));
        CHECK_CODE(none, HttpSetServiceConfiguration(NULL, HttpServiceConfigTimeout, buffer,
                                                     sizeof buffer, NULL));
        CHECK_CODE(none, HttpDeleteServiceConfiguration(NULL, HttpServiceConfigTimeout, buffer,
                                                        sizeof buffer, NULL));
        if (round == 0) {
            CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_2, SERVER, NULL));
        }
    }
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
}

static void unknown_properties_of_answers(void)
{
    struct server server;
    HTTP_LOGGING_INFO logging;
    HTTP_SERVER_AUTHENTICATION_INFO authentication;
    HTTP_CHANNEL_BIND_INFO binding;
    memset(&logging, 0, sizeof logging);
    memset(&authentication, 0, sizeof authentication);
    memset(&binding, 0, sizeof binding);
    logging.Flags.Present = 1; /* no directory: never a valid log */
    authentication.Flags.Present = 1;
    authentication.AuthSchemes = 0x8000;
    server_open(&server);
    CHECK_FAILS(
        HttpSetUrlGroupProperty(server.group, HttpServerLoggingProperty, &logging, sizeof logging));
    CHECK_FAILS(HttpSetUrlGroupProperty(server.group, HttpServerAuthenticationProperty,
                                        &authentication, sizeof authentication));
    CHECK_FAILS(
        HttpSetServerSessionProperty(server.session, HttpServerChannelBindProperty, &binding, 4));
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_HTTPSYS, ELSEWHERE_OTHER, requests_and_caches),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, ELSEWHERE_OTHER, service_configuration),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "documented for a few functions only",
                    service_configuration_needs_its_flag),
        CASE_NOT_ON(PROVIDER_WINE, "not implemented there", unknown_properties_of_answers),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
