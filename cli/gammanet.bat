@echo off
rem Starts the gammanet command of an unpacked archive on Windows.
rem Environment: JAVA_HOME           a JDK 22 or newer, where the archive has no Java of its own
rem              GAMMANET_JAVA_OPTS  more options for the JVM, such as -Xmx8g
setlocal DisableDelayedExpansion
set "root=%~dp0.."
if not exist "%root%\lib\modules" (
  echo gammanet: %root%\lib\modules is missing: this script belongs to an unpacked archive. 1>&2
  exit /b 1
)
set "java=%root%\runtime\bin\java.exe"
if not exist "%java%" if defined JAVA_HOME set "java=%JAVA_HOME%\bin\java.exe"
if not exist "%java%" set "java=java.exe"
if not defined OMP_WAIT_POLICY set "OMP_WAIT_POLICY=passive"
set "vector="
if "%~1"=="bench" set "vector=--add-modules jdk.incubator.vector"
"%java%" %vector% -Xlog:disable -XX:+UseParallelGC -XX:MaxNewSize=128m --enable-native-access=org.gammanet.torch,ALL-UNNAMED ^
  %GAMMANET_JAVA_OPTS% -p "%root%\lib\modules" -cp "%root%\lib\libtorch\*" ^
  -m org.gammanet.cli/org.gammanet.cli.GammanetCommand %*
exit /b %ERRORLEVEL%
