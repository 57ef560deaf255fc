/* What of a hop is worth compiling, as one small extension: boxes that keep their key, the two loops
 * of shadowsocks/chunks.py, and the subkey of SIP004. On the libcrypto of the system.
 *
 *     Box(name, key)                          as crypto.aead.Aead, with nonces of 12 octets
 *     seal_chunks(box, counter, limit, src, dst, at)          -> (counter, at)
 *     open_chunks(box, counter, length, limit, src, used, dst)
 *                                             -> (counter, length, used, made, verdict)
 *     session_subkey(key, salt)               as crypto.kdf.session_subkey
 *
 * A counter is of 64 bits here and of 96 in Python: it is refused earlier, and never later.
 */

#define PY_SSIZE_T_CLEAN
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: EVP looks its digest up again for each message */
#include <Python.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

enum { TAG = 16, NONCE = 12, LENGTH_BOX = 2 + TAG, MOST = 0xFFFF, MAX_KEY = 32 };
enum verdict { GOOD, NOT_AUTHENTIC, OUT_OF_RANGE };

static PyObject *invalid_tag;

/* Fetched once: an implicit fetch at each key would cost more than the key. */
static struct {
    const char *name;
    EVP_CIPHER *cipher;
} ciphers[] = {
    {"ChaCha20-Poly1305", NULL},
    {"AES-128-GCM", NULL},
    {"AES-192-GCM", NULL},
    {"AES-256-GCM", NULL},
};
enum { CIPHERS = sizeof ciphers / sizeof *ciphers };

typedef struct {
    PyObject_HEAD
    const EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *contexts[2]; /* opening, sealing; a stream's box needs one of them only */
    unsigned char key[MAX_KEY];
} Box;

static int refused(void)
{
    ERR_clear_error();
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL refused to seal or open a box");
    return -1;
}

/* The context of one direction with its key set, made at the first use; NULL with an exception. */
static EVP_CIPHER_CTX *context(Box *box, int sealing)
{
    EVP_CIPHER_CTX *made;

    if (box->contexts[sealing])
        return box->contexts[sealing];
    made = EVP_CIPHER_CTX_new();
    if (!made || !EVP_CipherInit_ex2(made, box->cipher, box->key, NULL, sealing, NULL)) {
        EVP_CIPHER_CTX_free(made);
        refused();
        return NULL;
    }
    return box->contexts[sealing] = made;
}

/* One box. Reads size octets and a tag if opening, writes size octets and a tag if sealing. GOOD,
 * NOT_AUTHENTIC, or -1 with an exception. */
static int convert(Box *box, int sealing, const unsigned char *nonce, const Py_buffer *aad,
                   const unsigned char *src, Py_ssize_t size, unsigned char *dst)
{
    EVP_CIPHER_CTX *of = context(box, sealing);
    unsigned char nothing[TAG];
    int done;

    if (!of)
        return -1;
    if (size > INT_MAX || (aad && aad->len > INT_MAX)) {
        PyErr_SetString(PyExc_OverflowError, "more than 2 GiB in one box");
        return -1;
    }
    if (!EVP_CipherInit_ex2(of, NULL, NULL, nonce, sealing, NULL))
        return refused();
    if (aad && aad->len && !EVP_CipherUpdate(of, NULL, &done, aad->buf, (int)aad->len))
        return refused();
    if (size && !EVP_CipherUpdate(of, dst, &done, src, (int)size))
        return refused();
    if (sealing) {
        if (!EVP_CipherFinal_ex(of, nothing, &done) ||
            !EVP_CIPHER_CTX_ctrl(of, EVP_CTRL_AEAD_GET_TAG, TAG, dst + size))
            return refused();
        return GOOD;
    }
    if (!EVP_CIPHER_CTX_ctrl(of, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(src + size)))
        return refused();
    if (!EVP_CipherFinal_ex(of, nothing, &done)) {
        ERR_clear_error();
        return NOT_AUTHENTIC;
    }
    return GOOD;
}

/* ------------------------------------------------------------------------------------------ Box */

static PyObject *box_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    const char *name, *key;
    Py_ssize_t size;
    Box *box;

    if (names && PyDict_GET_SIZE(names))
        return PyErr_Format(PyExc_TypeError, "Box takes no keyword arguments");
    if (!PyArg_ParseTuple(args, "sy#", &name, &key, &size))
        return NULL;
    for (int i = 0; i < CIPHERS; i++) {
        if (strcmp(ciphers[i].name, name))
            continue;
        if (size != EVP_CIPHER_get_key_length(ciphers[i].cipher))
            return PyErr_Format(PyExc_ValueError, "a key of %zd octets for %s", size, name);
        box = (Box *)type->tp_alloc(type, 0);
        if (box) {
            box->cipher = ciphers[i].cipher;
            memcpy(box->key, key, size);
        }
        return (PyObject *)box;
    }
    return PyErr_Format(PyExc_ValueError, "no cipher '%s'", name);
}

static void box_dealloc(Box *box)
{
    EVP_CIPHER_CTX_free(box->contexts[0]);
    EVP_CIPHER_CTX_free(box->contexts[1]);
    OPENSSL_cleanse(box->key, sizeof box->key);
    Py_TYPE(box)->tp_free((PyObject *)box);
}

/* encrypt_into and decrypt_into: (nonce, data, aad or None, buf), with the sizes checked. */
static PyObject *box_convert(Box *box, PyObject *const *args, Py_ssize_t count, int sealing)
{
    enum { NONCE_IS, DATA, AAD, BUF };
    Py_buffer views[4];
    PyObject *result = NULL;
    Py_ssize_t size;
    int i, verdict;

    if (count != 4)
        return PyErr_Format(PyExc_TypeError, "4 arguments are wanted, and not %zd", count);
    for (i = 0; i < 4; i++) {
        views[i].obj = NULL;
        views[i].len = 0;
        if (i == AAD && args[i] == Py_None)
            continue;
        if (PyObject_GetBuffer(args[i], &views[i], i == BUF ? PyBUF_WRITABLE : PyBUF_SIMPLE))
            goto end;
    }
    if (views[NONCE_IS].len != NONCE) {
        PyErr_Format(PyExc_ValueError, "a nonce of %zd octets", views[NONCE_IS].len);
        goto end;
    }
    size = sealing ? views[DATA].len : views[DATA].len - TAG;
    if (size < 0) {
        PyErr_SetNone(invalid_tag);
        goto end;
    }
    if (size > INT_MAX || views[BUF].len != (sealing ? size + TAG : size)) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd octets does not fit", views[BUF].len);
        goto end;
    }
    verdict = convert(box, sealing, views[NONCE_IS].buf, views[AAD].obj ? &views[AAD] : NULL,
                      views[DATA].buf, size, views[BUF].buf);
    if (verdict == GOOD)
        result = PyLong_FromSsize_t(views[BUF].len);
    else if (verdict == NOT_AUTHENTIC)
        PyErr_SetNone(invalid_tag);
end:
    while (i-- > 0)
        PyBuffer_Release(&views[i]);
    return result;
}

static PyObject *box_encrypt_into(Box *box, PyObject *const *args, Py_ssize_t count)
{
    return box_convert(box, args, count, 1);
}

static PyObject *box_decrypt_into(Box *box, PyObject *const *args, Py_ssize_t count)
{
    return box_convert(box, args, count, 0);
}

static PyMethodDef box_methods[] = {
    {"encrypt_into", (PyCFunction)(void (*)(void))box_encrypt_into, METH_FASTCALL, NULL},
    {"decrypt_into", (PyCFunction)(void (*)(void))box_decrypt_into, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject box_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "shadowsocks_native.Box",
    .tp_basicsize = sizeof(Box),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "One key of one AEAD cipher, and its two contexts.",
    .tp_methods = box_methods,
    .tp_new = box_new,
    .tp_dealloc = (destructor)box_dealloc,
};

/* --------------------------------------------------------------------------------------- chunks */

/* A counter as PyArg_ParseTuple wants it; unlike its 'K', this refuses what does not fit. */
static int counter_of(PyObject *number, void *counter)
{
    uint64_t value = PyLong_AsUnsignedLongLong(number);

    if (value == UINT64_MAX && PyErr_Occurred())
        return 0;
    *(uint64_t *)counter = value;
    return 1;
}

static const unsigned char *nonce_of(uint64_t counter, unsigned char *nonce)
{
    for (int i = 0; i < NONCE; i++, counter >>= 8)
        nonce[i] = (unsigned char)counter;
    return nonce;
}

static PyObject *seal_chunks(PyObject *module, PyObject *args)
{
    unsigned char nonce[NONCE], length[2], *out;
    const unsigned char *in;
    Py_ssize_t limit, at, left, chunks, size;
    Py_buffer src, dst;
    uint64_t counter;
    PyObject *result = NULL;
    Box *box;

    (void)module;
    if (!PyArg_ParseTuple(args, "O!O&ny*w*n", &box_type, &box, counter_of, &counter, &limit, &src,
                          &dst, &at))
        return NULL;
    if (limit < 1 || limit > MOST) {
        PyErr_Format(PyExc_ValueError, "chunks of %zd octets", limit);
        goto end;
    }
    left = src.len;
    chunks = left / limit + (left % limit != 0);
    if (at < 0 || at > dst.len || left > dst.len - at ||
        chunks > (dst.len - at - left) / (LENGTH_BOX + TAG)) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd octets is too short", dst.len);
        goto end;
    }
    if ((uint64_t)chunks > (UINT64_MAX - counter) / 2) {
        PyErr_SetString(PyExc_OverflowError, "a nonce would repeat");
        goto end;
    }
    for (in = src.buf; left; in += size, left -= size) {
        size = left < limit ? left : limit;
        out = (unsigned char *)dst.buf + at;
        length[0] = (unsigned char)(size >> 8);
        length[1] = (unsigned char)size;
        if (convert(box, 1, nonce_of(counter++, nonce), NULL, length, 2, out) ||
            convert(box, 1, nonce_of(counter++, nonce), NULL, in, size, out + LENGTH_BOX))
            goto end;
        at += LENGTH_BOX + size + TAG;
    }
    result = Py_BuildValue("Kn", (unsigned long long)counter, at);
end:
    PyBuffer_Release(&src);
    PyBuffer_Release(&dst);
    return result;
}

static PyObject *open_chunks(PyObject *module, PyObject *args)
{
    unsigned char nonce[NONCE], octets[2];
    Py_ssize_t length, limit, used, made = 0;
    const unsigned char *in;
    Py_buffer src, dst;
    uint64_t counter;
    PyObject *result = NULL;
    Box *box;
    int verdict = GOOD;

    (void)module;
    if (!PyArg_ParseTuple(args, "O!O&nny*nw*", &box_type, &box, counter_of, &counter, &length,
                          &limit, &src, &used, &dst))
        return NULL;
    if (length < 0 || length > MOST || used < 0) {
        PyErr_Format(PyExc_ValueError, "length %zd from %zd on", length, used);
        goto end;
    }
    in = src.buf;
    for (;;) {
        if (counter >= UINT64_MAX - 1) {
            PyErr_SetString(PyExc_OverflowError, "a nonce would repeat");
            goto end;
        }
        if (!length) {
            if (src.len - used < LENGTH_BOX)
                break;
            verdict = convert(box, 0, nonce_of(counter, nonce), NULL, in + used, 2, octets);
            if (verdict)
                break;
            length = octets[0] << 8 | octets[1];
            if (length == 0 || length > limit) {
                verdict = OUT_OF_RANGE;
                break;
            }
            counter++;
            used += LENGTH_BOX;
        }
        if (src.len - used < length + TAG)
            break;
        if (length > dst.len - made) {
            PyErr_Format(PyExc_ValueError, "a buffer of %zd octets is too short", dst.len);
            goto end;
        }
        verdict = convert(box, 0, nonce_of(counter, nonce), NULL, in + used, length,
                          (unsigned char *)dst.buf + made);
        if (verdict)
            break;
        counter++;
        made += length;
        used += length + TAG;
        length = 0;
    }
    if (verdict >= GOOD)
        result = Py_BuildValue("Knnni", (unsigned long long)counter, length, used, made, verdict);
end:
    PyBuffer_Release(&src);
    PyBuffer_Release(&dst);
    return result;
}

/* --------------------------------------------------------------------------------------- subkey */

/* HMAC-SHA1 under a key that is used more than once: both paddings are hashed before [RFC2104]. */
typedef struct {
    SHA_CTX inner, outer;
} Hmac;

static void hmac_key(Hmac *hmac, const void *key, size_t size)
{
    unsigned char pad[SHA_CBLOCK] = {0};

    if (size > sizeof pad)
        SHA1(key, size, pad);
    else
        memcpy(pad, key, size);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    SHA1_Init(&hmac->inner);
    SHA1_Update(&hmac->inner, pad, sizeof pad);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    SHA1_Init(&hmac->outer);
    SHA1_Update(&hmac->outer, pad, sizeof pad);
    OPENSSL_cleanse(pad, sizeof pad);
}

static void hmac_of(const Hmac *hmac, const void *data, size_t size, unsigned char *digest)
{
    SHA_CTX state = hmac->inner;

    SHA1_Update(&state, data, size);
    SHA1_Final(digest, &state);
    state = hmac->outer;
    SHA1_Update(&state, digest, SHA_DIGEST_LENGTH);
    SHA1_Final(digest, &state);
}

static PyObject *session_subkey(PyObject *module, PyObject *args)
{
    static const char info[] = "ss-subkey";
    enum { INFO = sizeof info - 1 };
    /* T(i-1) | info | i [RFC5869 §2.3]; the first block has no T before it. */
    unsigned char block[SHA_DIGEST_LENGTH + INFO + 1], digest[SHA_DIGEST_LENGTH];
    Py_buffer key, salt;
    PyObject *subkey = NULL;
    Hmac hmac;

    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*", &key, &salt))
        return NULL;
    if (key.len > 255 * SHA_DIGEST_LENGTH)
        PyErr_Format(PyExc_ValueError, "a key of %zd octets", key.len);
    else if ((subkey = PyBytes_FromStringAndSize(NULL, key.len))) {
        hmac_key(&hmac, salt.buf, salt.len);
        hmac_of(&hmac, key.buf, key.len, digest);
        hmac_key(&hmac, digest, sizeof digest);
        memcpy(block + SHA_DIGEST_LENGTH, info, INFO);
        for (Py_ssize_t at = 0, i = 1; at < key.len; at += SHA_DIGEST_LENGTH, i++) {
            size_t before = i == 1 ? SHA_DIGEST_LENGTH : 0, left = key.len - at;
            block[sizeof block - 1] = (unsigned char)i;
            hmac_of(&hmac, block + before, sizeof block - before, digest);
            memcpy(block, digest, sizeof digest);
            memcpy(PyBytes_AS_STRING(subkey) + at, digest,
                   left < sizeof digest ? left : sizeof digest);
        }
        OPENSSL_cleanse(&hmac, sizeof hmac);
        OPENSSL_cleanse(block, sizeof block);
        OPENSSL_cleanse(digest, sizeof digest);
    }
    PyBuffer_Release(&key);
    PyBuffer_Release(&salt);
    return subkey;
}

/* --------------------------------------------------------------------------------------- module */

static PyMethodDef functions[] = {
    {"seal_chunks", seal_chunks, METH_VARARGS, NULL},
    {"open_chunks", open_chunks, METH_VARARGS, NULL},
    {"session_subkey", session_subkey, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "shadowsocks_native",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit_shadowsocks_native(void)
{
    PyObject *module, *exceptions = PyImport_ImportModule("cryptography.exceptions");

    if (!exceptions)
        return NULL;
    invalid_tag = PyObject_GetAttrString(exceptions, "InvalidTag");
    Py_DECREF(exceptions);
    if (!invalid_tag)
        return NULL;
    for (int i = 0; i < CIPHERS; i++) {
        ciphers[i].cipher = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
        if (!ciphers[i].cipher) {
            ERR_clear_error();
            return PyErr_Format(PyExc_ImportError, "OpenSSL has no %s", ciphers[i].name);
        }
    }
    if (PyType_Ready(&box_type) < 0 || !(module = PyModule_Create(&definition)))
        return NULL;
    Py_INCREF(&box_type);
    if (PyModule_AddObject(module, "Box", (PyObject *)&box_type) < 0) {
        Py_DECREF(&box_type);
        Py_CLEAR(module);
    }
    return module;
}
