/* The contract's functions of later tiers: each says ERROR_NOT_SUPPORTED, so that a program can
 * tell and nothing is ignored. HttpIsFeatureSupported tells the truth about the rest. */
#include <stdbool.h>

#include "api/httpapi.h"
#include "engine/lifetime.h"

/* Service configuration needs the other flag. */
static ULONG not_yet_configured(void)
{
    return lifetime_has_config() ? ERROR_NOT_SUPPORTED : ERROR_DLL_INIT_FAILED;
}

static ULONG not_yet(void)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        lifetime_leave(engine);
    }
    return status == NO_ERROR ? ERROR_NOT_SUPPORTED : status;
}

BOOL WINAPI HttpIsFeatureSupported(HTTP_FEATURE_ID FeatureId)
{
    return FeatureId == HttpFeatureAutomaticChunkedEncoding ? TRUE : FALSE;
}

ULONG WINAPI HttpFindUrlGroupId(PCWSTR FullyQualifiedUrl, HANDLE RequestQueueHandle,
                                PHTTP_URL_GROUP_ID UrlGroupId)
{
    (void)FullyQualifiedUrl;
    (void)RequestQueueHandle;
    (void)UrlGroupId;
    return not_yet();
}

ULONG WINAPI HttpPrepareUrl(PVOID Reserved, ULONG Flags, PCWSTR Url, PWSTR *PreparedUrl)
{
    (void)Reserved;
    (void)Flags;
    (void)Url;
    (void)PreparedUrl;
    return not_yet();
}

ULONG WINAPI HttpWaitForDemandStart(HANDLE RequestQueueHandle, LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpWaitForDisconnectEx(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                     ULONG Reserved, LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)ConnectionId;
    (void)Reserved;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpSetRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id,
                                    HTTP_REQUEST_PROPERTY PropertyId, PVOID Input,
                                    ULONG InputPropertySize, LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)Id;
    (void)PropertyId;
    (void)Input;
    (void)InputPropertySize;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpQueryRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id,
                                      HTTP_REQUEST_PROPERTY PropertyId, PVOID Qualifier,
                                      ULONG QualifierSize, PVOID Output, ULONG OutputBufferSize,
                                      PULONG BytesReturned, LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)Id;
    (void)PropertyId;
    (void)Qualifier;
    (void)QualifierSize;
    (void)Output;
    (void)OutputBufferSize;
    (void)BytesReturned;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpDelegateRequestEx(HANDLE RequestQueueHandle, HANDLE DelegateQueueHandle,
                                   HTTP_REQUEST_ID RequestId, HTTP_URL_GROUP_ID DelegateUrlGroupId,
                                   ULONG PropertyInfoSetSize,
                                   PHTTP_DELEGATE_REQUEST_PROPERTY_INFO PropertyInfoSet)
{
    (void)RequestQueueHandle;
    (void)DelegateQueueHandle;
    (void)RequestId;
    (void)DelegateUrlGroupId;
    (void)PropertyInfoSetSize;
    (void)PropertyInfoSet;
    return not_yet();
}

ULONG WINAPI HttpDeclarePush(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, HTTP_VERB Verb,
                             PCWSTR Path, PCSTR Query, PHTTP_REQUEST_HEADERS Headers)
{
    (void)RequestQueueHandle;
    (void)RequestId;
    (void)Verb;
    (void)Path;
    (void)Query;
    (void)Headers;
    return not_yet();
}

ULONG WINAPI HttpReceiveClientCertificate(HANDLE RequestQueueHandle,
                                          HTTP_CONNECTION_ID ConnectionId, ULONG Flags,
                                          PHTTP_SSL_CLIENT_CERT_INFO SslClientCertInfo,
                                          ULONG SslClientCertInfoSize, PULONG BytesReceived,
                                          LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)ConnectionId;
    (void)Flags;
    (void)SslClientCertInfo;
    (void)SslClientCertInfoSize;
    (void)BytesReceived;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpFlushResponseCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix, ULONG Flags,
                                    LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)UrlPrefix;
    (void)Flags;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpAddFragmentToCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix,
                                    PHTTP_DATA_CHUNK DataChunk, PHTTP_CACHE_POLICY CachePolicy,
                                    LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)UrlPrefix;
    (void)DataChunk;
    (void)CachePolicy;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpReadFragmentFromCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix,
                                       PHTTP_BYTE_RANGE ByteRange, PVOID Buffer, ULONG BufferLength,
                                       PULONG BytesRead, LPOVERLAPPED Overlapped)
{
    (void)RequestQueueHandle;
    (void)UrlPrefix;
    (void)ByteRange;
    (void)Buffer;
    (void)BufferLength;
    (void)BytesRead;
    (void)Overlapped;
    return not_yet();
}

ULONG WINAPI HttpSetServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                         PVOID pConfigInformation, ULONG ConfigInformationLength,
                                         LPOVERLAPPED pOverlapped)
{
    (void)ServiceHandle;
    (void)ConfigId;
    (void)pConfigInformation;
    (void)ConfigInformationLength;
    (void)pOverlapped;
    return not_yet_configured();
}

ULONG WINAPI HttpUpdateServiceConfiguration(HANDLE Handle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                            PVOID ConfigInfo, ULONG ConfigInfoLength,
                                            LPOVERLAPPED Overlapped)
{
    (void)Handle;
    (void)ConfigId;
    (void)ConfigInfo;
    (void)ConfigInfoLength;
    (void)Overlapped;
    return not_yet_configured();
}

ULONG WINAPI HttpDeleteServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                            PVOID pConfigInformation, ULONG ConfigInformationLength,
                                            LPOVERLAPPED pOverlapped)
{
    (void)ServiceHandle;
    (void)ConfigId;
    (void)pConfigInformation;
    (void)ConfigInformationLength;
    (void)pOverlapped;
    return not_yet_configured();
}

ULONG WINAPI HttpQueryServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                           PVOID pInput, ULONG InputLength, PVOID pOutput,
                                           ULONG OutputLength, PULONG pReturnLength,
                                           LPOVERLAPPED pOverlapped)
{
    (void)ServiceHandle;
    (void)ConfigId;
    (void)pInput;
    (void)InputLength;
    (void)pOutput;
    (void)OutputLength;
    (void)pReturnLength;
    (void)pOverlapped;
    return not_yet_configured();
}

ULONG WINAPI HttpCreateHttpHandle(PHANDLE RequestQueueHandle, ULONG Reserved)
{
    (void)RequestQueueHandle;
    (void)Reserved;
    return not_yet();
}

ULONG WINAPI HttpAddUrl(HANDLE RequestQueueHandle, PCWSTR FullyQualifiedUrl, PVOID Reserved)
{
    (void)RequestQueueHandle;
    (void)FullyQualifiedUrl;
    (void)Reserved;
    return not_yet();
}

ULONG WINAPI HttpRemoveUrl(HANDLE RequestQueueHandle, PCWSTR FullyQualifiedUrl)
{
    (void)RequestQueueHandle;
    (void)FullyQualifiedUrl;
    return not_yet();
}
