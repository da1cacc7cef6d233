"""A real browser: Debian's Chromium without a window, which sees nothing but this machine's loopback interface."""
import base64
import contextlib
import json
import os

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from procs import ROOT, wait_until

SCREENSHOTS = os.path.join(ROOT, "build", "check", "screenshots")
CHECKS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "accessible.js")

DESKTOP, PHONE = (1280, 900), (360, 740)

ARGUMENTS = [
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en-GB",
    "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync", "--disable-default-apps", "--disable-breakpad",
    "--disable-background-networking", "--disable-component-update", "--disable-domain-reliability", "--disable-client-side-phishing-detection",
    "--no-pings", "--metrics-recording-only", "--password-store=basic", "--use-mock-keychain", "--disable-search-engine-choice-screen",
    "--disable-features=OptimizationHints,MediaRouter,Translate,InterestFeedContentSuggestions,AutofillServerCommunication,CertificateTransparencyComponentUpdater",
    # Whatever it wants to know from elsewhere it does not find.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server",
]


def steadily(look):
    """Again when the page has put another live part into the place of the one that was looked at."""
    for _ in range(100):
        with contextlib.suppress(StaleElementReferenceException):
            return look()
    return look()


class Browser:
    """One window. Its profile lies in `folder`, and goes with it."""

    def __init__(self, folder):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ARGUMENTS + [f"--user-data-dir={os.path.join(folder, 'browser')}", f"--window-size={DESKTOP[0]},{DESKTOP[1]}"]:
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")   # its sandbox does not work for root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")
        service = Service("/usr/bin/chromedriver", log_path=os.path.join(folder, "chromedriver.txt"))
        self.driver = webdriver.Chrome(service=service, options=options)
        with open(CHECKS, encoding="utf-8") as file:
            self.checks = file.read()

    def close(self):
        with contextlib.suppress(Exception):
            self.driver.quit()

    # What a person does.

    def open(self, address):
        self.driver.get(address)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def by_label(self, label):
        """The field that a label belongs to."""
        found = [one for one in self.find_all("label") if one.text.strip() == label]
        assert found, f"no label {label!r} on {self.driver.current_url}"
        return self.find("#" + found[0].get_attribute("for"))

    def button(self, name, within="body"):
        """By its accessible name, as somebody hears it who does not see the page."""
        found = steadily(lambda: [one for one in self.find(within).find_elements(By.CSS_SELECTOR, "button") if one.accessible_name == name])
        assert found, f"no button {name!r} on {self.driver.current_url}"
        return found[0]

    def fill(self, selector, text):
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def click(self, element):
        """Clicks, and waits for the page that comes of it. In a live part: a way to find the element."""
        page = self.find("html")
        steadily(lambda: (element() if callable(element) else element).click())
        self.wait_for_page(page)

    def wait_for_page(self, before):
        def has_come():
            try:
                before.is_enabled()
                return False
            except Exception:   # the old page is gone, in one of several ways
                return self.script("return document.readyState") == "complete"
        wait_until("the next page", has_come)

    def press(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def tab_to(self, wanted, most=80):
        """Presses Tab until an element has the focus of which wanted() is true; that element."""
        for _ in range(most):
            webdriver.ActionChains(self.driver).send_keys(Keys.TAB).perform()
            active = self.driver.switch_to.active_element
            if wanted(active):
                return active
        raise AssertionError(f"Tab does not lead there on {self.driver.current_url}")

    # What it shows.

    def script(self, source, *arguments):
        return self.driver.execute_script(source, *arguments)

    def text(self, selector="body"):
        return steadily(lambda: self.find(selector).text)

    def flash(self):
        return self.text("#flash")

    def title(self):
        return self.text("h1")

    def complaints(self):
        """What the console says since the last call: errors of scripts, of loading, and breaches of the content security policy."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def faults(self):
        """What keeps people from using this page, by accessible.js: a list of sentences."""
        return self.script(self.checks + "\nreturn findFaults();")

    # What it is.

    def dark(self, on):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if on else "light"}, {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def size(self, size):
        width, height = size
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scripts(self, on):
        """For pages that are opened from now on."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not on})

    def screenshot(self, name):
        """All of the page, for people to look at."""
        os.makedirs(SCREENSHOTS, exist_ok=True)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "optimizeForSpeed": True})
        with open(os.path.join(SCREENSHOTS, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))


def as_json(value):
    return json.dumps(value, indent=1, ensure_ascii=False)
