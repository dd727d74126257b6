"""Headless Chromium, without the background traffic it makes by itself."""
import os
import tempfile

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.errorhandler import ErrorHandler
from selenium.webdriver.support.ui import WebDriverWait

HERE = os.path.dirname(os.path.abspath(__file__))
AXE = os.path.join(HERE, "node_modules/axe-core/axe.min.js")
SHOTS = os.environ.get("PARTITA_SCREENSHOTS")  # a directory: every look() is kept there


class TellsStale(ErrorHandler):
    """chromedriver knows two names for an element whose page has gone while it was asked; here it is one."""

    def check_response(self, response):
        try:
            super().check_response(response)
        except WebDriverException as error:
            if "does not belong to the document" in (error.msg or ""):
                raise StaleElementReferenceException(error.msg) from None
            raise


def open_chrome(dark=False, width=1100, height=900, scripts=True, cookies=True):
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars", "lang=en", "ignore-certificate-errors",
                 f"window-size={width},{height}", f"user-data-dir={tempfile.mkdtemp(prefix='chrome-')}"):
        options.add_argument("--" + word)
    preferences = {"intl.accept_languages": "en", "credentials_enable_service": False}
    if not scripts:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    if not cookies:
        preferences["profile.default_content_setting_values.cookies"] = 2
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.error_handler = TellsStale()
    driver.set_page_load_timeout(30)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    if width < 500:  # narrower than a window can be
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True})
    return driver


def look(driver, name):
    """Keeps a screenshot when a directory for them is set."""
    if SHOTS:
        os.makedirs(SHOTS, exist_ok=True)
        driver.save_screenshot(os.path.join(SHOTS, name + ".png"))


def find(driver, css):
    return WebDriverWait(driver, 15).until(lambda d: d.find_element(By.CSS_SELECTOR, css), f"no {css} on {driver.title}")


def wait_text(driver, css, text):
    """Waits for the text, whatever pages come and go meanwhile."""
    try:
        WebDriverWait(driver, 15, ignored_exceptions=[NoSuchElementException, StaleElementReferenceException]).until(
            lambda d: text in d.find_element(By.CSS_SELECTOR, css).text)
    except TimeoutException:
        shown = driver.execute_script("return document.body ? document.body.innerText : ''")
        raise AssertionError(f"{css} does not say {text}: {shown[:800]}") from None


def violations(driver):
    """What axe-core finds on the page: a list of rule and element, empty when nothing."""
    with open(AXE, encoding="utf-8") as file:
        driver.execute_script(file.read())  # by the debugger, so the page's CSP does not forbid it
    result = driver.execute_async_script("const done = arguments[0]; axe.run(document).then(done, e => done({error: String(e)}))")
    assert "error" not in result, result
    return [f"{v['id']}: {v['help']} at {n['target']}" for v in result["violations"] for n in v["nodes"]]


def overflows(driver):
    """True when the page is wider than the screen."""
    return driver.execute_script("return document.documentElement.scrollWidth > window.innerWidth + 1")
