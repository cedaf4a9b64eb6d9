// SPDX-License-Identifier: MIT
// AWS Signature Version 4 as botocore makes it for every service but S3: the path is escaped once more than it stands
// in the URL ("%3A" is signed as "%253A"). Pure: the time is handed in.
#ifndef MB_SEAL_SIGV4_H
#define MB_SEAL_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct mb_aws_credentials {
    const char *access_key_id, *secret_access_key;
    const char *session_token; // NULL: none
    const char *region;        // "us-east-1"
} mb_aws_credentials;

typedef struct mb_sigv4_request {
    const char *method;
    const char *url;     // as it is sent, without a login
    const char *headers; // lines "Name: value\n" that are signed beside host and the signature's own; may be NULL
    const char *body;
    size_t body_len;
    const char *service; // "bedrock"
    int64_t time_s;      // since 1970
} mb_sigv4_request;

// Adds the lines "X-Amz-Date: …\n", "X-Amz-Security-Token: …\n" where there is a token, and "Authorization: …\n".
// 0, MEMBRANE_EINVAL (no URL with a host, or more header lines than anybody signs), MEMBRANE_ENOMEM,
// MEMBRANE_EINTERNAL.
int mb_sigv4_sign(const mb_aws_credentials *credentials, const mb_sigv4_request *request, mb_buf *headers);

#endif
