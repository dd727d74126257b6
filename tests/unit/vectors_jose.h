#pragma once
/* Tokens that others signed. The first ones are those of RFC 7515 appendix A.1 to A.3, RFC 7638 §3.1
 * and RFC 8037 appendix A; the rest was made once with pyca/cryptography. */

#define RFC7515_PAYLOAD \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define HS256_JWK \
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9" \
    "CAow\"}"
#define HS256_TOKEN \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9" \
    "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RS256_N \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR" \
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB" \
    "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia" \
    "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RS256_JWK "{\"kty\":\"RSA\",\"n\":\"" RS256_N "\",\"e\":\"AQAB\"}"
#define RS256_TOKEN \
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19" \
    "yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt" \
    "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb" \
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI" \
    "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define ES256_X \
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ES256_Y \
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ES256_D \
    "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define ES256_JWK "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\"}"
#define ES256_TOKEN \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19" \
    "yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU" \
    "1Q"
#define ED_X \
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED_D \
    "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define ED_JWK "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}"
#define ED_THUMBPRINT \
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
/* Its payload is no JSON. */
#define ED_RFC8037_TOKEN \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6" \
    "dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define RFC7638_JWK \
    "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6" \
    "tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz" \
    "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2" \
    "NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-0" \
    "4-29\"}"
#define RFC7638_THUMBPRINT \
    "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

#define PS256_JWK \
    "{\"kty\":\"RSA\",\"n\":\"ql2k-ju476e-sEkcgsHoxgSbTkq3HwlaeGLGm965WOqqBIni4svemjeuLoROArM2pchtAhYfT5t3uunNXu" \
    "zjUvihylge35FvQHbxDjGQ7pPXUPqovnUebjHXS6AZbkT4a85eT2csmm7zWX3Jrvtxohl4CaHpvJLfX-myybJWm4OWG1kBZCjong" \
    "6u3AaVEZBNCucW3BLA57YZl-5eLqd3Yk3IEm_zUu8cem8_VglwAuJFxt5tPBFPXkuM27KKBSgfSDCoLv64m-ZzHY82yQm2X0XvSM" \
    "XDG39mu6cv2lN4omzCZsgTuT9-lXqX3V6bMZ9BWgdNT6zA44hw-65PuZA_xQ\",\"e\":\"AQAB\"}"
#define PS256_TOKEN \
    "eyJhbGciOiJQUzI1NiIsImtpZCI6Im90aGVyIn0.eyJpc3MiOiJhbm90aGVyIGltcGxlbWVudGF0aW9uIn0.edgCpiDeEuUuxfop" \
    "E9q-gZm2VhvzaExePf2GUV8BiV5ZQFU5UA1VoajnWnAEsP1SC-YVfiJyi59F41CF6dge9LH9sg956J_2RD5qHcBdlGNjkfEk-3BI" \
    "9KtF0_5IXXa6JDDR--DmF5JWcEMgQpiJ5tMGgMR_46PMuR8gkzfkc9tQa84ZIp0WihOUlVT4mTtnNEuPmD0ZTUi2nveF5xLpinaM" \
    "JtYjTZca1rhGaDC5cLJ78tDtJAYM3bH-Z4Gz6rAGLcVbi6ErryfxvhLsfrl1ORuoDETN0yZuXR0y5FB1XlG4tCdropE9v5X55Xhv" \
    "ENukt98iP_zUi5_3cP3nZ0-njg"
#define ES384_JWK \
    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"ia0hm-kZtHxeI_tudBXx9Z3uyXYGvZ2p4RFBxLETCTjPXFXyDJY-xT7tMPLLjsck\",\"y\"" \
    ":\"6YU400FqQHMa9sXkzCGzE74XX35ghdK-gDz4Rso6jFRYXl3vk-XGRJ9DH0CaWlml\"}"
#define ES384_TOKEN \
    "eyJhbGciOiJFUzM4NCIsImtpZCI6Im90aGVyIn0.eyJpc3MiOiJhbm90aGVyIGltcGxlbWVudGF0aW9uIn0.-RxVMboyvfGl23qY" \
    "RQKduE9-OYXmMuAeqn4BHvRh7eCtD477K7ZgtlQ-oMPbA6FIs2wei7ZkfuT6xwZBZqwSPdDbxpYDmoOKmqFnan0WzKJSEqFT7Onm" \
    "i3cjyw-bTHqN"
#define ED_TOKEN \
    "eyJhbGciOiJFZERTQSIsImtpZCI6Im90aGVyIn0.eyJpc3MiOiJhbm90aGVyIGltcGxlbWVudGF0aW9uIn0.88DBleGHSop8LWxk" \
    "r_XzS4mXpYGvF1Zp43M8fHrA_YxbwW0S7tFV6THBwF4Ns389lRE5NCO5NPHThKzbOI0QAw"
/* 2040 and 1024 bits. */
#define RSA_2040_N \
    "rVkPpBOkZo1oPp4Jh7cinezWcr4Jdc4bYEk-Y2XW6qiyT5x233rWn-7QkS3vJRNNIvJSRvGqCvxVSCGNiLuxczgSh4Pvhms4tqYe" \
    "VC8sPahmATS3jWEmPJ3bMy287jSFNGMIaWPkp3Phc4W0WBYyIrCA4tJuUUIpVBHEG3lOllxPcM606bI6AjhvfUH7KqjYRdDPzI5e" \
    "UEQ-PLzB3DrZMpXlwJHPw30wNdY3GX-GsisLbyIaw_rB-5MHEiRD2kH_qsA07CTIip7h_U8r3lGjx7r45ZNUupGCXUQKnH3-qs3_" \
    "yccWPDctl3GqAlU6dXcWqSc0gmvgFO8Xp4MK964r"
#define RSA_1024_JWK \
    "{\"kty\":\"RSA\",\"n\":\"1Bf6Ud7vj8_SnfnvqK-AcmD_ntb_7n0OZeRRFyBtWr1VceIb_TcV4i3oODC18d-bLubz9ZMS07K2tNpIf8" \
    "FGZnZuq88hQmvCqtqbeMtu_jLsySkYIEK0KVQDvXYASNn630XqkALjrjqUxSTyi2nXyqcdMIogDtz6ThlidB9Y-oE\",\"e\":\"AQAB" \
    "\"}"
#define RSA_1024_TOKEN \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6Im90aGVyIn0.eyJpc3MiOiJhbm90aGVyIGltcGxlbWVudGF0aW9uIn0.t_2pv1CmeLieEF2l" \
    "QrTW3snIiNOcSG5S1LS3JSp1WbU10N9FYidD8ED1uCL_wJSr-0P1dEYXG224AcFPLfWJ-_G30dm515jjeupyKspSM4QTP2tPxSor" \
    "3ymJB4pje-eb5bEZF020ZRMeam5AkOjsQ0gmYLUTamY2YWiB2lCgv_Y"
