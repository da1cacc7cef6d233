"""nginx before the web page, with the server of docs/WEB.md. ./check only unpacks it (scripts/unpack-packages)."""
import os
import re

from certificates import Certificate
from procs import ROOT, Server, accepts_connections, free_port, wait_until

PROGRAM = os.path.join(ROOT, "build", "neighbours", "usr", "sbin", "nginx")
AROUND = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


def documented_server():
    with open(os.path.join(ROOT, "docs", "WEB.md"), encoding="utf-8") as file:
        return re.search(r"<!-- tested: nginx -->\n```\n(.*?)```", file.read(), re.DOTALL).group(1)


class Nginx(Server):
    def __init__(self, folder, http_port):
        super().__init__(folder, "nginx")
        assert os.path.exists(PROGRAM), "nginx is missing; ./check unpacks it (scripts/unpack-packages)"
        self.port = free_port()
        self.certificate = Certificate(folder, "postern.example.org", names=["postern.example.org"])
        server = documented_server()
        for there, here in (("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"), ("127.0.0.1:8025", f"127.0.0.1:{http_port}"),
                            ("/etc/ssl/certs/postern.example.org.pem", self.certificate.file),
                            ("/etc/ssl/private/postern.example.org.key", self.certificate.key_file)):
            assert there in server
            server = server.replace(there, here)
        self.config = os.path.join(folder, "nginx.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(AROUND.format(folder=folder, server=server))

    def start(self):
        self.launch([PROGRAM, "-c", self.config, "-p", self.folder, "-e", "stderr"])
        wait_until("nginx listens", self.listens)

    def listens(self):
        assert self.running(), f"nginx ended:\n{self.read_log()}"
        return accepts_connections(self.port)
