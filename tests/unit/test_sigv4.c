// SPDX-License-Identifier: MIT
// The first vector is AWS's published example (General Reference, "Signature Version 4 signing process"). The others
// were made with botocore 1.44.5: SigV4Auth(Credentials(…), service, region).add_auth(AWSRequest(…)), its clock set to
// 2015-08-30T12:36:00Z. The hashes are checked with the examples of FIPS 180-2 and RFC 4231.
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "membrane/error.h"
#include "seal/hash.h"
#include "seal/sigv4.h"

enum { NOW = 1440938160 }; // 2015-08-30T12:36:00Z

#define JSON_TYPE "Content-Type: application/json\n"
#define RUNTIME   "https://bedrock-runtime.us-east-1.amazonaws.com/model/"

typedef struct vector {
    const char *method, *url, *headers, *body, *token, *region, *signed_names, *signature;
} vector;

static const vector VECTORS[] = {
    {"POST", RUNTIME "anthropic.claude-3-7-sonnet-20250219-v1%3A0/converse", JSON_TYPE, "{\"messages\":[]}", NULL,
     "us-east-1", "content-type;host;x-amz-date", "810dcfc0e429b7adbd20c6af2d9ae513e89aa4ce2c837dff5b01d75572aa4d7b"},
    {"POST", RUNTIME "anthropic.claude-3-7-sonnet-20250219-v1%3A0/converse-stream", JSON_TYPE, "{\"messages\":[]}",
     "PLANTED//session+token==", "eu-central-1", "content-type;host;x-amz-date;x-amz-security-token",
     "e3bcdd5d5fd4d201cd99d8d4daaeaa934da034a89f976a600619a0ffcc5b0738"},
    {"POST", RUNTIME "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/invoke", JSON_TYPE,
     "{\"a\":\"\xc3\xa9\"}", NULL, "us-east-1", "content-type;host;x-amz-date",
     "454f522397c1cf66a65d5209bea367d53710d301d130db806825aff7f9bf9879"},
    {"POST", "http://127.0.0.1:8080/model/m/converse", JSON_TYPE, "{}", NULL, "us-east-1",
     "content-type;host;x-amz-date", "a577d89b97cab53999003239138d1c939c2fac20a74c4345363b8987423fc385"},
    {"POST", "https://h.example:443/a/./b//c/../d/", JSON_TYPE, "", NULL, "us-east-1", "content-type;host;x-amz-date",
     "3748320adb8cdbbd488a18f8f1a8f06aefb40d8eb24744f95b6ad859352d5538"},
    {"GET", "https://h.example", NULL, NULL, NULL, "us-east-1", "host;x-amz-date",
     "00cf7cbfcd84c952bf30ef31d49ed3119301447bf88c63203891426fc31b1782"},
    {"GET", "https://h.example/x?b=2&a=%20y&b=1&c&a-=3#frag", "", "", NULL, "us-east-1", "host;x-amz-date",
     "538fc4a9ce319bafe0d0a7aa431d8d22a38d88d66baf7b2d91a4232f4cda2b1f"},
    {"GET", "https://h.example/~a/b%20c/\xc3\xbc",
     "X-Amzn-Bedrock-GuardrailIdentifier:   one   two \nX-Amz-B: 2\nX-AMZ-A: 1", "", NULL, "us-east-1",
     "host;x-amz-a;x-amz-b;x-amz-date;x-amzn-bedrock-guardrailidentifier",
     "153a29dfb1a31fa7779ba2e78ae87f91ea68bafe6966ef48c0138385528b178f"},
};

static int sign(const vector *v, const mb_aws_credentials *c, const char *service, mb_buf *out) {
    const mb_sigv4_request r = {.method = v->method,
                                .url = v->url,
                                .headers = v->headers,
                                .body = v->body,
                                .body_len = v->body ? strlen(v->body) : 0,
                                .service = service,
                                .time_s = NOW};
    return mb_sigv4_sign(c, &r, out);
}

START_TEST(the_published_example_is_signed_as_published) {
    static const vector EXAMPLE = {"GET",
                                   "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                                   "content-type: application/x-www-form-urlencoded; charset=utf-8\n",
                                   "",
                                   NULL,
                                   "us-east-1",
                                   NULL,
                                   NULL};
    const mb_aws_credentials c = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL, "us-east-1"};
    mb_buf out = MB_BUF(10000);
    ck_assert_int_eq(sign(&EXAMPLE, &c, "iam", &out), 0);
    ck_assert_str_eq(
        mb_buf_text(&out),
        "X-Amz-Date: 20150830T123600Z\nAuthorization: AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\n");
    mb_buf_free(&out);
}
END_TEST

START_TEST(requests_are_signed_as_botocore_signs_them) {
    for (size_t i = 0; i < MB_COUNT(VECTORS); i++) {
        const vector *v = &VECTORS[i];
        const mb_aws_credentials c = {"AKIAPLANTEDKEY", "PLANTED+secret/access/key", v->token, v->region};
        mb_buf out = MB_BUF(10000), want = MB_BUF(10000);
        mb_buf_puts(&want, "X-Amz-Date: 20150830T123600Z\n");
        if (v->token) mb_buf_putf(&want, "X-Amz-Security-Token: %s\n", v->token);
        mb_buf_putf(&want,
                    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAPLANTEDKEY/20150830/%s/bedrock/aws4_request, "
                    "SignedHeaders=%s, Signature=%s\n",
                    v->region, v->signed_names, v->signature);
        ck_assert_int_eq(sign(v, &c, "bedrock", &out), 0);
        ck_assert_msg(strcmp(mb_buf_text(&out), mb_buf_text(&want)) == 0, "%s: %s", v->url, mb_buf_text(&out));
        mb_buf_free(&out);
        mb_buf_free(&want);
    }
}
END_TEST

START_TEST(what_cannot_be_signed_is_refused) {
    const mb_aws_credentials c = {"AKIAPLANTEDKEY", "PLANTED+secret/access/key", NULL, "us-east-1"};
    mb_buf out = MB_BUF(10000), many = MB_BUF(10000);
    vector v = {"GET", "no url", NULL, NULL, NULL, NULL, NULL, NULL};
    ck_assert_int_eq(sign(&v, &c, "bedrock", &out), MEMBRANE_EINVAL);
    v.url = "https:///x";
    ck_assert_int_eq(sign(&v, &c, "bedrock", &out), MEMBRANE_EINVAL);
    mb_buf_puts(&many, "https://h/?");
    for (int i = 0; i < 65; i++) mb_buf_putf(&many, "a=%d&", i);
    v.url = mb_buf_text(&many);
    ck_assert_int_eq(sign(&v, &c, "bedrock", &out), MEMBRANE_EINVAL);
    mb_buf_reset(&many);
    for (int i = 0; i < 65; i++) mb_buf_putf(&many, "a: %d\n", i);
    v = (vector){"GET", "https://h/", mb_buf_text(&many), NULL, NULL, NULL, NULL, NULL};
    ck_assert_int_eq(sign(&v, &c, "bedrock", &out), MEMBRANE_EINVAL);
    mb_buf small = MB_BUF(40); // the lines do not fit
    v.headers = "no line at all\n:\n";
    ck_assert_int_eq(sign(&v, &c, "bedrock", &small), MEMBRANE_EINVAL);
    mb_buf_free(&small);
    mb_buf_free(&many);
    mb_buf_free(&out);
}
END_TEST

static int sign_once(void *user) {
    const mb_aws_credentials c = {"AKIAPLANTEDKEY", "PLANTED+secret/access/key", "PLANTEDtoken", "us-east-1"};
    mb_buf out = MB_BUF(10000);
    int status = sign(user, &c, "bedrock", &out);
    mb_buf_free(&out);
    return status;
}

START_TEST(every_allocation_may_fail) {
    vector v = VECTORS[7];
    unit_every_allocation_fails(sign_once, &v);
}
END_TEST

START_TEST(the_hashes_are_the_standards) {
    static const char LONG[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    unsigned char hash[MB_SHA256_SIZE], key[131];
    char hex[MB_HASH_HEX_SIZE];
    ck_assert_int_eq(mb_sha256(LONG, sizeof LONG - 1, hash), 0);
    mb_hash_put_hex(hash, hex);
    ck_assert_str_eq(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    ck_assert_int_eq(mb_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, hash), 0);
    mb_hash_put_hex(hash, hex);
    ck_assert_str_eq(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key); // longer than a block
    static const char TEST6[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    ck_assert_int_eq(mb_hmac_sha256(key, sizeof key, TEST6, sizeof TEST6 - 1, hash), 0);
    mb_hash_put_hex(hash, hex);
    ck_assert_str_eq(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, the_published_example_is_signed_as_published);
    tcase_add_test(tc, requests_are_signed_as_botocore_signs_them);
    tcase_add_test(tc, what_cannot_be_signed_is_refused);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, the_hashes_are_the_standards);
}

UNIT_MAIN("sigv4", tests)
