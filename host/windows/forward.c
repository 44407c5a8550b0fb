/* The functions that go to the system as they are. A missing one is ERROR_NOT_SUPPORTED. */
#include "windows/httpsys.h"

ULONG WINAPI HttpInitialize(HTTPAPI_VERSION Version, ULONG Flags, PVOID pReserved)
{
    const struct httpsys *api = httpsys();
    return api->HttpInitialize == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpInitialize(Version, Flags, pReserved));
}

ULONG WINAPI HttpTerminate(ULONG Flags, PVOID pReserved)
{
    const struct httpsys *api = httpsys();
    return api->HttpTerminate == NULL ? ERROR_NOT_SUPPORTED
                                      : httpsys_code(api->HttpTerminate(Flags, pReserved));
}

ULONG WINAPI HttpCreateServerSession(HTTPAPI_VERSION Version,
                                     PHTTP_SERVER_SESSION_ID ServerSessionId, ULONG Reserved)
{
    const struct httpsys *api = httpsys();
    return api->HttpCreateServerSession == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpCreateServerSession(Version, ServerSessionId, Reserved));
}

ULONG WINAPI HttpSetServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                          HTTP_SERVER_PROPERTY Property, PVOID PropertyInformation,
                                          ULONG PropertyInformationLength)
{
    const struct httpsys *api = httpsys();
    return api->HttpSetServerSessionProperty == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpSetServerSessionProperty(
                     ServerSessionId, Property, PropertyInformation, PropertyInformationLength));
}

ULONG WINAPI HttpQueryServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                            HTTP_SERVER_PROPERTY Property,
                                            PVOID PropertyInformation,
                                            ULONG PropertyInformationLength, PULONG ReturnLength)
{
    const struct httpsys *api = httpsys();
    return api->HttpQueryServerSessionProperty == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpQueryServerSessionProperty(
                     ServerSessionId, Property, PropertyInformation, PropertyInformationLength,
                     ReturnLength));
}

ULONG WINAPI HttpQueryUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                       PVOID PropertyInformation, ULONG PropertyInformationLength,
                                       PULONG ReturnLength)
{
    const struct httpsys *api = httpsys();
    return api->HttpQueryUrlGroupProperty == NULL ? ERROR_NOT_SUPPORTED
                                                  : httpsys_code(api->HttpQueryUrlGroupProperty(
                                                        UrlGroupId, Property, PropertyInformation,
                                                        PropertyInformationLength, ReturnLength));
}

ULONG WINAPI HttpFindUrlGroupId(PCWSTR FullyQualifiedUrl, HANDLE RequestQueueHandle,
                                PHTTP_URL_GROUP_ID UrlGroupId)
{
    const struct httpsys *api = httpsys();
    return api->HttpFindUrlGroupId == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(
                     api->HttpFindUrlGroupId(FullyQualifiedUrl, RequestQueueHandle, UrlGroupId));
}

ULONG WINAPI HttpPrepareUrl(PVOID Reserved, ULONG Flags, PCWSTR Url, PWSTR *PreparedUrl)
{
    const struct httpsys *api = httpsys();
    return api->HttpPrepareUrl == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpPrepareUrl(Reserved, Flags, Url, PreparedUrl));
}

ULONG WINAPI HttpCreateRequestQueue(HTTPAPI_VERSION Version, PCWSTR Name,
                                    PSECURITY_ATTRIBUTES SecurityAttributes, ULONG Flags,
                                    PHANDLE RequestQueueHandle)
{
    const struct httpsys *api = httpsys();
    return api->HttpCreateRequestQueue == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpCreateRequestQueue(Version, Name, SecurityAttributes, Flags,
                                                          RequestQueueHandle));
}

ULONG WINAPI HttpSetRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                         PVOID PropertyInformation, ULONG PropertyInformationLength,
                                         ULONG Reserved1, PVOID Reserved2)
{
    const struct httpsys *api = httpsys();
    return api->HttpSetRequestQueueProperty == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpSetRequestQueueProperty(
                     RequestQueueHandle, Property, PropertyInformation, PropertyInformationLength,
                     Reserved1, Reserved2));
}

ULONG WINAPI HttpQueryRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                           PVOID PropertyInformation,
                                           ULONG PropertyInformationLength, ULONG Reserved1,
                                           PULONG ReturnLength, PVOID Reserved2)
{
    const struct httpsys *api = httpsys();
    return api->HttpQueryRequestQueueProperty == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpQueryRequestQueueProperty(
                     RequestQueueHandle, Property, PropertyInformation, PropertyInformationLength,
                     Reserved1, ReturnLength, Reserved2));
}

ULONG WINAPI HttpSetRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id,
                                    HTTP_REQUEST_PROPERTY PropertyId, PVOID Input,
                                    ULONG InputPropertySize, LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpSetRequestProperty == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpSetRequestProperty(RequestQueueHandle, Id, PropertyId, Input,
                                                          InputPropertySize, Overlapped));
}

ULONG WINAPI HttpQueryRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id,
                                      HTTP_REQUEST_PROPERTY PropertyId, PVOID Qualifier,
                                      ULONG QualifierSize, PVOID Output, ULONG OutputBufferSize,
                                      PULONG BytesReturned, LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpQueryRequestProperty == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpQueryRequestProperty(
                     RequestQueueHandle, Id, PropertyId, Qualifier, QualifierSize, Output,
                     OutputBufferSize, BytesReturned, Overlapped));
}

ULONG WINAPI HttpDelegateRequestEx(HANDLE RequestQueueHandle, HANDLE DelegateQueueHandle,
                                   HTTP_REQUEST_ID RequestId, HTTP_URL_GROUP_ID DelegateUrlGroupId,
                                   ULONG PropertyInfoSetSize,
                                   PHTTP_DELEGATE_REQUEST_PROPERTY_INFO PropertyInfoSet)
{
    const struct httpsys *api = httpsys();
    return api->HttpDelegateRequestEx == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpDelegateRequestEx(RequestQueueHandle, DelegateQueueHandle,
                                                         RequestId, DelegateUrlGroupId,
                                                         PropertyInfoSetSize, PropertyInfoSet));
}

ULONG WINAPI HttpDeclarePush(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, HTTP_VERB Verb,
                             PCWSTR Path, PCSTR Query, PHTTP_REQUEST_HEADERS Headers)
{
    const struct httpsys *api = httpsys();
    return api->HttpDeclarePush == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpDeclarePush(RequestQueueHandle, RequestId, Verb, Path, Query,
                                                   Headers));
}

ULONG WINAPI HttpReceiveClientCertificate(HANDLE RequestQueueHandle,
                                          HTTP_CONNECTION_ID ConnectionId, ULONG Flags,
                                          PHTTP_SSL_CLIENT_CERT_INFO SslClientCertInfo,
                                          ULONG SslClientCertInfoSize, PULONG BytesReceived,
                                          LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpReceiveClientCertificate == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpReceiveClientCertificate(
                     RequestQueueHandle, ConnectionId, Flags, SslClientCertInfo,
                     SslClientCertInfoSize, BytesReceived, Overlapped));
}

BOOL WINAPI HttpIsFeatureSupported(HTTP_FEATURE_ID FeatureId)
{
    const struct httpsys *api = httpsys();
    return api->HttpIsFeatureSupported != NULL && api->HttpIsFeatureSupported(FeatureId);
}

ULONG WINAPI HttpFlushResponseCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix, ULONG Flags,
                                    LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpFlushResponseCache == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(
                     api->HttpFlushResponseCache(RequestQueueHandle, UrlPrefix, Flags, Overlapped));
}

ULONG WINAPI HttpAddFragmentToCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix,
                                    PHTTP_DATA_CHUNK DataChunk, PHTTP_CACHE_POLICY CachePolicy,
                                    LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpAddFragmentToCache == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpAddFragmentToCache(RequestQueueHandle, UrlPrefix, DataChunk,
                                                          CachePolicy, Overlapped));
}

ULONG WINAPI HttpReadFragmentFromCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix,
                                       PHTTP_BYTE_RANGE ByteRange, PVOID Buffer, ULONG BufferLength,
                                       PULONG BytesRead, LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpReadFragmentFromCache == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpReadFragmentFromCache(RequestQueueHandle, UrlPrefix,
                                                             ByteRange, Buffer, BufferLength,
                                                             BytesRead, Overlapped));
}

ULONG WINAPI HttpSetServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                         PVOID pConfigInformation, ULONG ConfigInformationLength,
                                         LPOVERLAPPED pOverlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpSetServiceConfiguration == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(
                     api->HttpSetServiceConfiguration(ServiceHandle, ConfigId, pConfigInformation,
                                                      ConfigInformationLength, pOverlapped));
}

ULONG WINAPI HttpUpdateServiceConfiguration(HANDLE Handle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                            PVOID ConfigInfo, ULONG ConfigInfoLength,
                                            LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpUpdateServiceConfiguration == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpUpdateServiceConfiguration(Handle, ConfigId, ConfigInfo,
                                                                  ConfigInfoLength, Overlapped));
}

ULONG WINAPI HttpDeleteServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                            PVOID pConfigInformation, ULONG ConfigInformationLength,
                                            LPOVERLAPPED pOverlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpDeleteServiceConfiguration == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpDeleteServiceConfiguration(
                     ServiceHandle, ConfigId, pConfigInformation, ConfigInformationLength,
                     pOverlapped));
}

ULONG WINAPI HttpQueryServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                           PVOID pInput, ULONG InputLength, PVOID pOutput,
                                           ULONG OutputLength, PULONG pReturnLength,
                                           LPOVERLAPPED pOverlapped)
{
    const struct httpsys *api = httpsys();
    return api->HttpQueryServiceConfiguration == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpQueryServiceConfiguration(ServiceHandle, ConfigId, pInput,
                                                                 InputLength, pOutput, OutputLength,
                                                                 pReturnLength, pOverlapped));
}

ULONG WINAPI HttpCreateHttpHandle(PHANDLE RequestQueueHandle, ULONG Reserved)
{
    const struct httpsys *api = httpsys();
    return api->HttpCreateHttpHandle == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpCreateHttpHandle(RequestQueueHandle, Reserved));
}

ULONG WINAPI HttpAddUrl(HANDLE RequestQueueHandle, PCWSTR FullyQualifiedUrl, PVOID Reserved)
{
    const struct httpsys *api = httpsys();
    return api->HttpAddUrl == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpAddUrl(RequestQueueHandle, FullyQualifiedUrl, Reserved));
}

ULONG WINAPI HttpRemoveUrl(HANDLE RequestQueueHandle, PCWSTR FullyQualifiedUrl)
{
    const struct httpsys *api = httpsys();
    return api->HttpRemoveUrl == NULL
               ? ERROR_NOT_SUPPORTED
               : httpsys_code(api->HttpRemoveUrl(RequestQueueHandle, FullyQualifiedUrl));
}
