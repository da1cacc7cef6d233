"""Certificates for tests, of any shape."""
import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USAGES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


class Certificate:
    """Made with its key, in PEM files of the folder. Self-signed without an issuer."""

    def __init__(self, folder, name, issuer=None, names=(), days=(-1, 30), usages=("client", "server"), is_ca=False, common_name=None,
                 key=None, digest=hashes.SHA256(), others=()):
        """others: more names, of any kind. digest: None for a key of Ed25519 that signs."""
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)])
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(issuer.name if issuer else self.name)
                   .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days[0])).not_valid_after(now + datetime.timedelta(days[1]))
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if names or others:
            every = [*(x509.DNSName(each) for each in names), *others]
            builder = builder.add_extension(x509.SubjectAlternativeName(every), critical=False)
        if usages and not is_ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([USAGES[each] for each in usages]), critical=False)
        self.certificate = builder.sign(issuer.key if issuer else self.key, digest)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        self.fingerprint = self.certificate.fingerprint(hashes.SHA256()).hex()
        self.pin = f"sha256:{self.fingerprint}"
        self.file = os.path.join(folder, f"{name}.crt")
        self.key_file = os.path.join(folder, f"{name}.key")
        self.write(self.file, self.pem)
        self.write(self.key_file, self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                         serialization.NoEncryption()))

    @staticmethod
    def write(path, octets):
        with open(path, "wb") as file:
            file.write(octets)

    def show_with(self, *chain):
        """What a peer shows besides its own certificate."""
        self.write(self.file, b"".join([self.pem, *(each.pem for each in chain)]))
        return self
